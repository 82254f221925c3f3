"""MLflow's registry of models: its versions and aliases are read, and an alias is moved."""
