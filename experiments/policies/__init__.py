"""Simulations of the bandit policies: regret, and how soon the best arm is known."""
