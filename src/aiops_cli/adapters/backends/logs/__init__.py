"""Logs: what is asked of each store of lines, and how little of it is kept."""
