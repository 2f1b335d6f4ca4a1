"""What rewards cost: forward passes an arm, those of the explanation included."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from PIL import Image

from experiments.rewards import REWARDS, grid
from experiments.speed.measure import Figure, paired_ratios
from experiments.speed.network import Bench, predict
from tracer import Model, Tracer
from tuner.datasets import LabelledImage
from tuner.rewards import Judge, Scene, make_judge

ARMS = grid(("32", "last 16", "16"), ("8", "16"), ("0.15", "0.3", "mass 0.5", "mass 0.65"))
"""24 arms that read six maps."""


def reward_figures(bench: Bench, architectures: Sequence[str]) -> list[Figure]:
    """The arms of one image explained and judged by each reward, in forward passes an arm."""
    figures = []
    for name in architectures:
        model, title = bench.model(name)
        tracer = Tracer(model)
        calls = {
            reward: partial(_judge, tracer, make_judge(compared.reward, model)) for reward, compared in REWARDS.items()
        }
        ratios = paired_ratios(partial(_forward, model), calls, _pictures(bench, model), bench.seconds)
        count = len(ARMS.candidates)
        for reward, found in ratios.items():
            what = f"{count} arms of an image judged, {title}"
            values = [ratio / count for ratio in found]
            figures.append(Figure.of("rewards", what, reward, values, "forwards an arm"))
    return figures


def _pictures(bench: Bench, model: Model) -> list[Image.Image]:
    """A picture for each run: the folder's, or seeded noise."""
    if bench.images:
        from tracer.images import read_image

        files = bench.files()
        return [read_image(files[run % len(files)]) for run in range(bench.runs)]
    random = np.random.default_rng(bench.seed)
    shape = (model.preprocessing.height, model.preprocessing.width, 3)
    return [Image.fromarray(random.integers(0, 256, shape, np.uint8)) for _ in range(bench.runs)]


def _forward(model: Model, picture: Image.Image) -> object:
    return predict(model, model.preprocess(picture)[None].to(model.device))


def _judge(tracer: Tracer, judge: Judge, picture: Image.Image) -> object:
    box = np.array([[0.0, 0.0, picture.width, picture.height]])
    image = LabelledImage("", None, box, picture.width, picture.height, picture.copy)
    return judge(Scene(image, picture, tracer.model), tracer.readings([picture], ARMS.settings)[0])
