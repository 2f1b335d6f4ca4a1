"""Which settings are equal by construction: they trace every image alike, so they are one arm."""

from dataclasses import replace

from tracer import Alpha, Settings, TraceConfig

READ_UNDER = {"density": ("box", "density"), "cut": ("box", "patch"), "spread": ("box", "patch")}
"""Settings that are read under one value of another setting only. A setting that the tracer lacks matters to nobody."""


def canonical(settings: Settings) -> Settings:
    """The settings that stand for all that are equal to these by construction.

    Of cur and pre only the ratio matters to a ranking (Eq. 1), so they come out with the sum 1. Under ``successor:
    paper`` suc multiplies every score alike, so it comes out as 1. A setting that is not read under the others comes
    out at its default: ``density`` where the box is drawn around points.
    """
    alpha, config = settings.alpha, settings.config
    total = alpha.cur + alpha.pre
    if total:
        pre = round(alpha.pre / total, 9)  # 0.1 / 0.3 is not 0.2 / 0.6 in binary fractions
        alpha = Alpha(round(1 - pre, 9), alpha.suc, pre)
    if config.successor == "paper":
        alpha = replace(alpha, suc=1.0)
    unread = {
        name: getattr(_DEFAULTS, name)
        for name, (other, value) in READ_UNDER.items()
        if hasattr(config, name) and getattr(config, other) != value
    }
    return replace(settings, alpha=alpha, config=replace(config, **unread))


def ranks_nothing(settings: Settings) -> bool:
    """Whether every score of Eq. 1 is 0, so that no neuron is preferred to another."""
    return settings.alpha.cur == settings.alpha.pre == 0


_DEFAULTS = TraceConfig()
