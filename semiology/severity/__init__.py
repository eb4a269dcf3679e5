"""Numbers that follow a clinical scale: how much a patient moves, jerks, or fails to move the face.

kinematics/ measures movement on tracks, jerks/ finds myoclonic jerks in it, myoclonus/ scores them
by body part and panel item as the UMRS does. face/ measures a face with its sides, weakness/ scores
what it lacks. Imports go one way in this order; how well a score agrees with a clinician is judged
elsewhere (`semiology.evaluation.agreement`).
"""
