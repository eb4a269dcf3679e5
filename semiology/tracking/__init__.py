"""From frames to keypoints: the patient, landmarks, joints in space, the store of a cohort; and how
good they are.
"""
