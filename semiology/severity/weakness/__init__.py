"""Facial weakness: intensity of each emotion, comparison of patients with controls, and a score
with the weaker side for each participant.
"""
