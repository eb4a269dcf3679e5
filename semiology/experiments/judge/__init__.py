"""Predictions of outside models, from a table to a run like our own: answers.py makes classes of
answers, reading.py reads the table, run.py writes the run.
"""
