"""Worlds that can be observed and acted on."""
