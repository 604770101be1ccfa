"""Synthetic defect images with exact masks, from a team's own annotations."""

__version__ = "0.1.0"
