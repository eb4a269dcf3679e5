"""How good the keypoints are, and how to make them better: labelled frames, tracking error,
fine-tuning, the curve over labelled frames.
"""
