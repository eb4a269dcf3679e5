"""The phantom of a patient with a caregiver in contact: whose joints are whose."""
