"""Runs a protocol: its folds, each with fresh models, to out-of-fold predictions."""
