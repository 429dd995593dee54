"""Sample deliveries for the first product, made from a seed."""
