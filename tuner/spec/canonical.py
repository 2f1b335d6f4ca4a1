"""Which settings are equal by construction: they trace every image alike, so they are one arm."""

from dataclasses import replace

from tracer import Alpha, Settings, TraceConfig

UNDER_PATCH = ("spread", "cut")
"""Settings that are read under ``box: patch`` only."""


def canonical(settings: Settings) -> Settings:
    """The settings that stand for all that are equal to these by construction.

    Where the walk is excitation backpropagation the weights play no part. Elsewhere of cur and pre only the ratio
    matters to a ranking (Eq. 1), so they come out with the sum 1, and under ``successor: paper`` suc multiplies every
    score alike, so it comes out as 1. ``spread`` and ``cut`` come out at their defaults where the box is drawn around
    points.
    """
    alpha, config = settings.alpha, settings.config
    if config.box != "patch":
        config = replace(config, **{name: getattr(_DEFAULTS, name) for name in UNDER_PATCH})
    if config.dense:
        return replace(settings, alpha=Alpha(), config=replace(config, successor="excess"))
    total = alpha.cur + alpha.pre
    if total:
        pre = round(alpha.pre / total, 9)  # 0.1 / 0.3 is not 0.2 / 0.6 in binary fractions
        alpha = Alpha(round(1 - pre, 9), alpha.suc, pre)
    if config.successor == "paper":
        alpha = replace(alpha, suc=1.0)
    return replace(settings, alpha=alpha, config=config)


def ranks_nothing(settings: Settings) -> bool:
    """Whether every score of Eq. 1 is 0, so that no neuron is preferred to another."""
    return settings.alpha.cur == settings.alpha.pre == 0


_DEFAULTS = TraceConfig()
