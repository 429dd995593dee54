"""Contracts and what is there now become ordered steps, which `plan` prints and `run` executes."""
