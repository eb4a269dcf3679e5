"""Protocols and their folds: cross-validation, explanation, probing, reproduction of papers."""
