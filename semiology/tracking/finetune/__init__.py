"""Tracking error, and training the detectors on labelled frames."""
