"""Measurements: ratios against peers on the same machine, never part of the tests."""
