"""Whether a map's maximum points at the object (Zhang et al. 2018; Section 4.1.1)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.evaluation import Explained, rate
from experiments.maps import holds, peak


@dataclass(frozen=True)
class Pointing:
    """How a method did on all images (Eq. 6).

    Args:
        method: The attribution method, or ``centre``: the middle of the image, which needs no network.
        images: How many images.
        hits: How many maxima lie in a box of the image, without tolerance.
        score: Their share, percent.
        score_se: Its standard error, percent.
    """

    method: str
    images: int
    hits: int
    score: float
    score_se: float


def pointing_game(images: Iterable[Explained]) -> list[Pointing]:
    """Hits of every method, after the baseline that always points at the centre."""
    hits: dict[str, list[bool]] = defaultdict(list)
    for one in images:
        width, height = one.image.width, one.image.height
        hits["centre"].append(holds(one.image.boxes, width / 2, height / 2))
        for name, heat in one.maps.items():
            hits[name].append(holds(one.image.boxes, *peak(heat, width, height)))
    return [Pointing(name, len(found), sum(found), *rate(found)) for name, found in hits.items()]
