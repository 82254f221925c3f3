"""Where incidents are remembered."""
