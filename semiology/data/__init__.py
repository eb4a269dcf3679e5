"""Data on disk and in memory: tracks and their formats, skeletons and preprocessing, corrections,
the store, cohorts, event tables.
"""
