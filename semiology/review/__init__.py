"""Review in the browser: see what was found, point at the patient, correct keypoints, mark signs,
rate clips. A server on this machine and its page.
"""
