"""Tracks, cohorts, annotations and the store: what is kept on disk, and the formats it comes from."""
