"""What holds of every explanation, whatever the settings."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.models import Model
from tracer.preprocessing import Preprocessing
from tracer.settings import Settings
from tracer.trace import Tracer

SELECTIONS = st.sampled_from([1, 2, 0.5, "positive"])
DEPTHS = ("image", 2, 4, "one", "pool", "add")
WALKS = st.builds(
    TraceConfig,
    location=st.sampled_from(["peak", "center", "field"]),
    successor=st.sampled_from(["excess", "paper"]),
    linear=SELECTIONS,
    flatten=SELECTIONS,
    convolution=SELECTIONS,
    average_pool=SELECTIONS,
    share=st.sampled_from(["evidence", "score"]),
    contrast=st.sampled_from(["none", "mean", "others"]),
)
DENSE = st.builds(TraceConfig.excitation_backprop, contrast=st.sampled_from(["none", "mean", "others"]))
ALPHAS = st.builds(Alpha, *[st.sampled_from([0, 0.25, 1, 3])] * 3)
READS = st.fixed_dictionaries(
    {
        "depth": st.sampled_from(DEPTHS),
        "flip": st.booleans(),
        "spread": st.sampled_from([0, 8, 30]),
        "box": st.sampled_from(["points", "patch"]),
        "cut": st.sampled_from([0.2, 0.6, "mass 0.5"]),
        "input": st.sampled_from([None, 16, 24]),
    }
)
ARMS = st.builds(lambda config, reads, alpha: Settings(alpha, replace(config, **reads)), WALKS | DENSE, READS, ALPHAS)


class Net(nn.Module):
    """Convolutions, a residual branch, poolings, a concatenation and two linear layers; takes any size from 8 x 8."""

    preprocessing = Preprocessing(16, 16)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.one = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.two, self.three = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.hidden, self.head = nn.Linear(16, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.one(x).relu())
        x = self.two(x).relu() + x
        x = torch.cat([x, self.three(x).relu()], 1).mean((2, 3))
        return self.head(self.hidden(x).relu())


@cache
def tracer() -> Tracer:
    return Tracer(Model.of(Net().double().eval()))


def picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def batch(seed: int) -> Tensor:
    return torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=50)
@given(WALKS | DENSE, ALPHAS, SEEDS)
def test_shares_sum_to_one_at_every_cut(config: TraceConfig, alpha: Alpha, seed: int) -> None:
    names = dict.fromkeys(cut.name for cut in tracer().plan((16, 20)).cuts)
    arms = [Settings(alpha, replace(config, depth=name)) for name in names]
    for traces in tracer().traces(batch(seed), arms):
        assert [trace.depth for trace in traces] == list(names)
        for trace in traces:
            assert (trace.shares > 0).all()
            assert trace.shares.sum() == pytest.approx(1 if len(trace.points) else 0, abs=1e-9)
            assert len(np.unique(trace.points, axis=0)) == len(trace.points)
            assert (trace.points < trace.shape).all()


@settings(max_examples=50)
@given(WALKS | DENSE, st.sampled_from(DEPTHS), ALPHAS, SEEDS)
def test_with_flip_a_mirrored_image_gives_the_mirrored_map(
    config: TraceConfig, depth: int | str, alpha: Alpha, seed: int
) -> None:
    images = batch(seed)
    arm = Settings(alpha, replace(config, flip=True, depth=depth))
    targets = [1, 3]
    straight = tracer().traces(images, [arm], targets)
    mirrored = tracer().traces(images.flip(3), [arm], targets)
    for (one,), (other,) in zip(straight, mirrored, strict=True):
        np.testing.assert_allclose(other.map[:, ::-1], one.map, rtol=1e-9, atol=1e-12)
        assert one.shares.sum() == pytest.approx(1 if len(one.points) else 0)


@settings(max_examples=40)
@given(st.lists(ARMS, min_size=1, max_size=12), SEEDS)
def test_an_arm_alone_equals_the_arm_among_many(arms: list[Settings], seed: int) -> None:
    pictures = [picture(seed), picture(seed + 1)]
    together = tracer().boxes(pictures, arms)
    assert together.shape == (2, len(arms), 4)
    for number, arm in enumerate(arms):
        alone = tracer().boxes(pictures, [arm])
        np.testing.assert_allclose(alone[:, 0], together[:, number], rtol=0, atol=1e-9)


@settings(max_examples=25)
@given(st.lists(ARMS, min_size=1, max_size=4), SEEDS)
def test_an_explanation_of_several_classes_is_that_of_each(arms: list[Settings], seed: int) -> None:
    image = picture(seed)
    together = tracer().explain_classes(image, arms, top=3)
    probabilities = [row[0].probability for row in together]
    assert probabilities == sorted(probabilities, reverse=True)
    for row in together:
        assert len({each.target for each in row}) == 1
        for arm, each in zip(arms, row, strict=True):
            (alone,) = tracer().explain_classes(image, [arm], [each.target])[0]
            np.testing.assert_allclose(alone.box, each.box, rtol=0, atol=1e-9)
            np.testing.assert_allclose(alone.trace.map, each.trace.map, rtol=0, atol=1e-12)
