"""Tests of framework/lakehouse."""
