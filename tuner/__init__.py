"""Learn the weights of the trace per architecture, as a bandit job on Ray."""
