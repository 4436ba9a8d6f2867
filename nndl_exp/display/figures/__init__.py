"""Figures: one style, each drawn once."""
