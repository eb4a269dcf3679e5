"""Fine-tune the detectors on labelled frames; tracking error against their number."""
