"""A cluster, through the kubectl of whoever is on call: observed, and acted on where that is allowed."""
