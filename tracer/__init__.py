"""Explain a CNN by tracing its prediction back to the discriminative pixels of the image."""
