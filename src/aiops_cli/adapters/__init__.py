"""Everything that touches the outside. Adapters do not import each other and receive plain values."""
