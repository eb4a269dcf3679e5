"""Draws the persons, the room and the frames of every phantom."""
