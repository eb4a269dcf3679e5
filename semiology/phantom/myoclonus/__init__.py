"""The phantom of myoclonus in examinations."""
