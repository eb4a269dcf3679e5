"""Facial weakness: how strongly each emotion shows, how patients differ from controls, and a score
with its side for each participant.
"""
