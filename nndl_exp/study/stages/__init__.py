"""Stages: what to search next, and what was decided."""
