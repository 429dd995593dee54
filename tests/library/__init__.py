"""A second product that shares nothing with the first: other files, other keys, YAML alone."""
