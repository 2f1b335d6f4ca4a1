"""A worker's two threads: one decodes the next image while the other traces, and never do two trace at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from tracer import Model, Settings
from tracer.reading import Reading
from tuner.datasets import ImageList, LabelledImage
from tuner.rewards.iou import overlaps
from tuner.workers.scoring import Scorer


class FakeTracer:
    """Traces the first image only once the second one is decoded."""

    def __init__(self, awaited: Event) -> None:
        self._awaited = awaited
        self._one = Lock()

    def readings(
        self, images: Sequence[Any], settings: Sequence[Settings], targets: Sequence[int] | None = None
    ) -> list[list[Reading]]:
        assert self._one.acquire(blocking=False), "two traces at once"
        try:
            assert self._awaited.wait(timeout=10), "the next image was not decoded meanwhile"
        finally:
            self._one.release()
        reading = Reading(np.zeros(4), 0, lambda: np.zeros((1, 1)))
        return [[reading for _ in settings] for _ in images]


def test_the_next_image_is_decoded_while_one_is_traced() -> None:
    decoded = [Event(), Event()]

    def image(number: int) -> LabelledImage:
        def read() -> Image.Image:
            decoded[number].set()
            return Image.new("RGB", (2, 2))

        return LabelledImage(str(number), None, np.array([[0.0, 0.0, 1.0, 1.0]]), 2, 2, read)

    scorer = Scorer(ImageList((image(0), image(1))), Model.of(nn.Identity()), FakeTracer(decoded[1]), overlaps)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(scorer.score, 0, [Settings()])
        assert decoded[0].wait(timeout=10)
        second = threads.submit(scorer.score, 1, [Settings()])
        assert first.result(timeout=20).tolist() == second.result(timeout=20).tolist() == [0.0]
