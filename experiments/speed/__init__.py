"""Benchmarks: how fast the pieces are, beside their peers."""
