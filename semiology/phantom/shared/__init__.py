"""Common to all phantom cohorts: random design, truth, simulated tracker errors."""
