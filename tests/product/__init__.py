"""The first product, against a truth worked out by plain Python."""
