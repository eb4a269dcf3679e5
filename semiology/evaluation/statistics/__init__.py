"""Judged statements from out-of-fold predictions: metrics, intervals over participants, chance,
comparisons. Nothing here trains.
"""
