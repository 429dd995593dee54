"""Tests of framework/transforms."""
