"""Statistics of out-of-fold predictions: metrics, confidence intervals over participants,
permutation tests, comparisons of models, calibration. Nothing here trains a model.
"""
