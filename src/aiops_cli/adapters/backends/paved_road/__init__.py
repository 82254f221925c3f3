"""A team's own checks and operations: read from its file, and run as commands and requests."""
