"""Tests of framework/spec."""
