"""Draws the people, the room and the films of every phantom."""
