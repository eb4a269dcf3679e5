"""Signs over time: prediction for one video, timelines of recordings of any length, events, and
localisation learned from annotated events.
"""
