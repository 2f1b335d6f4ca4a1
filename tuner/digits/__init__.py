"""Handwritten digits on cluttered canvases, and a small network that reads them: a job without any download.

The digits are scikit-learn's: 1,797 real ones of 8 x 8 pixels (Alpaydin & Kaynak 1998, UCI). Four in five train the
network; the canvases that a job sees are drawn from the others.
"""

from tuner.digits.canvas import Canvas, draw

__all__ = ["Canvas", "digits_cnn", "draw"]


def __getattr__(name: str) -> object:
    """``digits_cnn``, imported at first use: it brings torch along, which drawing does not need."""
    if name == "digits_cnn":
        from tuner.digits.training import digits_cnn

        return digits_cnn
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
