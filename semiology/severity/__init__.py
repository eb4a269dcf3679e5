"""Severity scores that follow clinical scales: movement, myoclonus, facial weakness.

kinematics/ measures movement in tracks, jerks/ detects myoclonic jerks in it, myoclonus/ scores
them by body part and panel item as the Unified Myoclonus Rating Scale (UMRS) does. face/ measures
both sides of a face, weakness/ scores what they lack compared with controls. Imports go in this
order only; agreement with clinicians is computed in `semiology.evaluation.agreement`.
"""
