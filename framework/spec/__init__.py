"""What may be written: YAML read into frozen models, each fault with its file, line and column."""
