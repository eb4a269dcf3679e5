"""The phantom of seizures with dystonia and emotional expression."""
