"""Tests of the life of a row."""
