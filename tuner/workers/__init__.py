"""Scoring images for arms: in this process, or by actors on Ray."""
