"""From out-of-fold predictions to a judged statement: metrics with intervals over participants, chance, and the report."""
