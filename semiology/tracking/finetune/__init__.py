"""Fine-tune the detectors on labelled frames, and tracking error against the number of such frames."""
