"""From a table of measurements to evaluated models: simple models side by side, in folds by
participant.

settings.py holds the options; reading.py reads the table, leaks.py refuses what gives the target
away; folds.py splits its rows; models.py builds the pipelines; records.py fits them in every fold;
importance.py measures what they rely on; nulls.py and linear.py hold what chance gives; outputs.py
writes the run's files, run.py all of it; predict.py applies a model to new rows.
"""
