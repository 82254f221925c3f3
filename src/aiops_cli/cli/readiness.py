"""`aiops readiness`."""


def readiness() -> None:
    """Not yet."""
