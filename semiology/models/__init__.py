"""The networks, the features that they read, and their training."""
