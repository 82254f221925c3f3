"""Changes: what was done to services, from wherever it is written down, as one timeline."""
