"""Tests of framework/plan."""
