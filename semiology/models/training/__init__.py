"""Training: thin Lightning shells around the streams."""
