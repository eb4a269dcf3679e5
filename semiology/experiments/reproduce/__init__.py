"""The protocols of published papers, run on a cohort, and what came out set beside what was
printed.

published holds what the papers print, agreement says how far such a figure can be trusted and
whether two agree, settings reads a protocol and lists what departs from it. hou2022 runs Hou et al.
2022; gestures runs GESTURES (MICCAI 2021).
"""
