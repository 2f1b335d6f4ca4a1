"""Hand-written doubles: a data set without files, and scores without a network."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tracer import Alpha, Settings
from tuner.datasets import LabelledImage
from tuner.datasets.image import ImageList
from tuner.policies import Bandit, make_policy
from tuner.spec.job import JobSpec


def blank() -> Image.Image:
    return Image.new("RGB", (10, 10))


def make_dataset(images: int) -> ImageList:
    """Images of 10 x 10 pixels whose left part, of growing width, is the object."""
    widths = np.arange(images) % 10 + 1
    boxes = [np.array([[0.0, 0.0, float(width), 10.0]]) for width in widths]
    return ImageList(tuple(LabelledImage(f"image{i}", i % 3, boxes[i], 10, 10, blank) for i in range(images)))


class FakeScorer:
    """IOUs that depend on image and settings alone; larger with cur * pre. Images in ``broken`` cannot be scored."""

    def __init__(self, broken: Iterable[int] = ()) -> None:
        self.broken = frozenset(broken)

    def score(self, image: int, settings: Sequence[Settings]) -> NDArray[np.float64]:
        if image in self.broken:
            raise OSError(f"image {image} is broken")
        return np.array([self._iou(image, one.alpha) for one in settings])

    @staticmethod
    def _iou(image: int, alpha: Alpha) -> float:
        seed = [image, *(round(1000 * weight) for weight in (alpha.cur, alpha.suc, alpha.pre))]
        noise = np.random.default_rng(seed).standard_normal()
        return float(np.clip(0.35 + 0.2 * alpha.cur * alpha.pre + 0.2 * noise, 0, 1))


def make_bandit(successes: Sequence[int], pulls: int) -> Bandit:
    """A bandit whose arms were each pulled so often, on the first images of a hundred; ties go to the last arm."""
    arms = len(successes)
    bandit = Bandit(make_policy("uniform"), arms, 100, arms * pulls, (0,), range(arms - 1, -1, -1))
    for arm, count in enumerate(successes):
        for image in range(pulls):
            bandit.record(arm, success=image < count, image=image)
    return bandit


def make_spec(**changes: object) -> JobSpec:
    """A small job on the fake network."""
    values = [0.0, 0.5, 1.0]
    job: dict[str, object] = {
        "name": "fake",
        "architecture": "fake",
        "dataset": {"kind": "digits", "images": 40},
        "arms": {"cur": values, "suc": values, "pre": values},
        "policy": {"kind": "ucb1", "budget": 60},
        "workers": {"count": 2},
        "check": 0,
    }
    return JobSpec.model_validate(job | changes)
