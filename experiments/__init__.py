"""Evaluate explanations as Section 4 of the paper does, and measure speed."""
