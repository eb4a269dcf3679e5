"""What all phantom cohorts have in common: their design, truth and tables."""
