"""Lakepact: YAML contracts become governed Delta tables, by one generic engine."""

__version__ = "0.1.0"
