"""The phantom of facial weakness."""
