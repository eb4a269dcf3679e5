"""Labelled frames: which frames to label (selection.py), export to labelling programs (export.py),
reading and writing their formats (io.py and a file per format), and corrections of tracks from what
was moved (corrections.py).
"""
