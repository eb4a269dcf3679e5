"""From a table of measurements to a judged result: simple models side by side, in folds by
participant.

settings.py holds the options; reading.py reads the table and refuses what cannot be used; models.py
builds the pipelines; linear.py computes the null distribution of the linear model at once; run.py
runs the folds and writes the run, predict.py applies a model to new rows.
"""
