"""Spans, prices and the summary of a run."""
