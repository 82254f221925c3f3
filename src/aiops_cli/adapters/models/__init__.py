"""Language models behind the `Model` port, one file per provider."""
