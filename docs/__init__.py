"""The pages that people read, and what makes some of them."""
