"""The phantom of focal and bilateral tonic-clonic seizures."""
