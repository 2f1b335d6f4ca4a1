"""Laws of the trace, and what its users rely on."""

import gc
import weakref
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tracer.config import TraceConfig
from tracer.errors import ImageError, InputError, TargetError, UnsupportedOperatorError, WeightsError
from tracer.evidence import Alpha
from tracer.network import Operation
from tracer.rules import Elementwise, register_rule
from tracer.rules.base import _RULES
from tracer.settings import Settings
from tracer.trace import Tracer
from tracer.walk import Activations, ImageWalk, Plan
from tracer.weights import Weights

ARMS = [Alpha(cur, suc, pre) for cur in (0, 0.3, 1) for suc in (0, 1, 3) for pre in (0, 0.2, 1) if cur or pre]


class Small(nn.Module):
    """Convolutions, a residual branch, poolings and two linear layers; takes any size of image from 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.one, self.two = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
        self.hidden, self.head = nn.Linear(32, 20), nn.Linear(20, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.stem(x).relu())
        x = (self.two(self.one(x).relu()) + x).relu()
        x = torch.cat([x, self.one(x).relu()], 1).mean((2, 3))
        return self.head(self.hidden(x).relu())


@pytest.fixture(scope="module")
def tracer() -> Tracer:
    return Tracer(Small().eval(), TraceConfig.paper())


def batch(images: int, height: int = 24, width: int = 32) -> Tensor:
    return torch.randn(images, 3, height, width, generator=torch.Generator().manual_seed(7))


def same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def test_a_track_alone_equals_the_track_among_many(tracer: Tracer) -> None:
    images = batch(2)
    together = tracer.trace(images, ARMS)
    for number, alpha in enumerate(ARMS):
        alone = tracer.trace(images, [alpha])
        assert all(same(alone[image][0], together[image][number]) for image in range(2))


def test_an_image_alone_equals_the_image_in_a_batch(tracer: Tracer) -> None:
    images = batch(3)
    together = tracer.traces(images, ARMS)
    for number in range(3):
        (alone,) = tracer.traces(images[number : number + 1], ARMS)
        for one, other in zip(alone, together[number], strict=True):
            assert np.array_equal(one.points, other.points)
            assert one.target == other.target


def test_shares_sum_to_one_at_every_cut(tracer: Tracer) -> None:
    plan = tracer.plan((24, 32))
    reads = [plan.network.image]
    scores, activations = plan.forward(batch(1), reads)
    table = np.array([(a.cur, a.suc, a.pre) for a in ARMS])
    totals = []

    def visit(operation, selected) -> None:
        if not operation.inputs or operation in cuts:
            totals.append(selected.shares.sum(axis=0))

    cuts = {operation for operation in plan.network.operations if "linear" in str(operation.target)}
    target, probabilities = int(scores.argmax()), scores[0].double().softmax(0).numpy()
    ImageWalk(plan, activations, 0, target, probabilities, TraceConfig.paper(), lambda _: table).run(
        len(ARMS), reads, visit
    )
    assert len(totals) == 3
    assert np.allclose(totals, 1)


def test_points_are_distinct_in_order_and_inside_the_image(tracer: Tracer) -> None:
    for trace in tracer.traces(batch(1), ARMS)[0]:
        order = trace.points[:, 0] * 32 + trace.points[:, 1]
        assert (np.diff(order) > 0).all()
        assert (trace.points >= 0).all()
        assert (trace.points < (24, 32)).all()


def test_sizes_may_differ_from_call_to_call_and_need_not_be_square(tracer: Tracer) -> None:
    for height, width in ((8, 8), (17, 40), (24, 32)):
        assert len(tracer.trace(batch(1, height, width), [Alpha()])[0][0])


def test_the_target_may_be_given_or_predicted(tracer: Tracer) -> None:
    images = batch(2)
    predicted = [traces[0].target for traces in tracer.traces(images, [Alpha()])]
    given = tracer.traces(images, [Alpha()], targets=[3, None])
    assert [traces[0].target for traces in given] == [3, predicted[1]]
    assert 0 < given[0][0].probability < 1


@pytest.mark.parametrize(
    ("targets", "error", "message"),
    [([6], TargetError, "classes 0 to 5"), ([-1], TargetError, "classes 0 to 5"), ([1, 2], TargetError, "2 targets")],
)
def test_a_wrong_target_is_named(tracer: Tracer, targets: list[int], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tracer.trace(batch(1), [Alpha()], targets)


def test_scores_that_are_not_finite_are_refused(tracer: Tracer) -> None:
    images = batch(2)
    images[1] = float("nan")
    with pytest.raises(InputError, match="image 1"):
        tracer.trace(images, [Alpha()])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_are_traced(dtype: torch.dtype) -> None:
    tracer = Tracer(Small().eval().to(dtype))
    trace = tracer.traces(batch(1), [Alpha()])[0][0]
    assert len(trace.points)
    assert trace.shares.sum() == pytest.approx(1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_network_on_a_gpu_is_traced() -> None:
    tracer = Tracer(Small().eval().cuda())
    assert len(tracer.trace(batch(2), ARMS)[1][0])


def test_suc_of_the_paper_changes_no_ranking() -> None:
    tracer = Tracer(Small().eval(), TraceConfig.paper(successor="paper"))
    first, *others = tracer.trace(batch(1), [Alpha(1, suc, 0.5) for suc in (0.1, 1, 7)])[0]
    assert all(same(first, other) for other in others)


def test_boxes_are_in_pixels_of_each_original(tracer: Tracer) -> None:
    pictures = [Image.effect_noise(size, 90).convert("RGB") for size in ((50, 80), (320, 200))]
    boxes = Tracer(Small().eval()).boxes(pictures, [Settings(alpha, TraceConfig.paper()) for alpha in ARMS])
    assert boxes.shape == (2, len(ARMS), 4)
    for picture, of_picture in zip(pictures, boxes, strict=True):
        assert (of_picture[:, :2] >= 0).all()
        assert (of_picture[:, 2:] <= picture.size).all()
        assert (of_picture[:, 2:] > of_picture[:, :2]).all()


class Cubed(nn.Module):
    """Uses an operator without a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.asinh(self.conv(x)).mean((2, 3)))


def test_an_operator_without_a_rule_is_named_and_two_lines_register_one() -> None:
    tracer = Tracer(Cubed().eval())
    with pytest.raises(UnsupportedOperatorError, match=r"aten\.asinh\.default.*register_rule\(torch\.ops\.aten\.asinh"):
        tracer.trace(batch(1), [Alpha()])
    register_rule(torch.ops.aten.asinh.default, Elementwise)
    try:
        assert len(tracer.trace(batch(1), [Alpha()])[0][0])
    finally:
        del _RULES[torch.ops.aten.asinh.default]


def test_no_images_have_no_boxes_and_no_readings() -> None:
    tracer = Tracer(nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    settings = [Settings(), Settings(Alpha(1, 0, 0))]
    assert tracer.readings([], settings) == []
    assert tracer.boxes([], settings).shape == (0, 2, 4)


def test_a_pooling_whose_windows_lie_in_the_padding_alone_is_refused() -> None:
    """Found by hypothesis: of such a window torch gives an index outside the input."""
    pooling = nn.MaxPool2d(2, stride=1, padding=1, dilation=2)
    network = nn.Sequential(nn.Conv2d(3, 2, 1), pooling, nn.Hardtanh(), nn.Flatten(), nn.Linear(10, 2)).eval()
    with pytest.raises(UnsupportedOperatorError, match="padding alone"):
        Tracer(network).trace(torch.rand(1, 3, 5, 1), [Alpha()])


def test_an_empty_batch_and_no_settings_give_empty_answers(tracer: Tracer) -> None:
    assert tracer.trace(batch(1), []) == [[]]


def test_weights_of_a_layer_that_the_network_lacks_are_refused(tracer: Tracer) -> None:
    known = Weights("own:small", Alpha(), {"two": Alpha(1, 0, 0)})
    unknown = Weights("own:small", Alpha(), {"twoo": Alpha(1, 0, 0)})
    assert len(tracer.trace(batch(1), [known.settings])[0]) == 1
    with pytest.raises(WeightsError, match=r"layers\.twoo: no such layer in the network.*two"):
        tracer.trace(batch(1), [unknown.settings])
    with pytest.raises(WeightsError, match="twoo"):
        Tracer(Small().eval(), alpha=unknown)


def test_nothing_of_a_trace_waits_for_the_garbage_collector(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[weakref.ref[Activations]] = []
    forward = Plan.forward

    def watched(plan: Plan, images: Tensor, reads: Collection[Operation]) -> tuple[Tensor, Activations]:
        scores, activations = forward(plan, images, reads)
        held.append(weakref.ref(activations))
        return scores, activations

    monkeypatch.setattr(Plan, "forward", watched)
    gc.disable()
    try:
        tracer.trace(batch(2), ARMS)
        assert [activations() for activations in held] == [None]
    finally:
        gc.enable()


def test_many_images_are_explained_as_one_by_one_and_a_bad_one_comes_after_those_before_it(
    tracer: Tracer, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    images: list[Image.Image | Path] = []
    for number in range(5):
        picture = Image.fromarray(generator.integers(0, 256, (30 + number, 24, 3), dtype=np.uint8))
        picture.save(tmp_path / f"{number}.png")
        images.append(picture if number % 2 else tmp_path / f"{number}.png")
    found = list(tracer.explain_many(images, batch=2, jobs=3))
    for image, explanation in zip(images, found, strict=True):
        alone = tracer.explain(image)
        assert explanation.target == alone.target
        assert explanation.source == alone.source
        assert np.allclose(explanation.box, alone.box)
        assert np.allclose(explanation.trace.map, alone.trace.map, atol=1e-6)
    (tmp_path / "2.png").write_bytes(b"no image")
    explained = []
    with pytest.raises(ImageError, match=r"2\.png"):
        explained.extend(tracer.explain_many(images, batch=2))
    assert len(explained) == 2
    assert list(tracer.explain_many([])) == []


def test_a_class_is_asked_for_by_name_or_index() -> None:
    tracer = Tracer(named())
    image = Image.effect_noise((40, 30), 60)
    for target in ("dog", " DOG", "1", 1, np.int64(1), torch.tensor(1)):
        assert tracer.explain(image, target=target).target == 1
    assert [trace.target for (trace,) in tracer.traces(batch(2), [Alpha()], ["ant", 5])] == [0, 5]
    with pytest.raises(TargetError, match=r"target 'dogs': no such class \(nearest: dog\)"):
        tracer.explain(image, target="dogs")


def named() -> nn.Module:
    module = Small().eval()
    module.categories = ("ant", "dog", "fox", "cow", "owl", "eel")
    return module


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda tracer, image: Tracer("resnet18"), "model of type str: give what tracer.load_model returns"),
        (lambda tracer, image: Tracer(Small), "model of type type: give what tracer.load_model returns"),
        (lambda tracer, image: Tracer(tracer.model, alpha="a.yaml"), "alpha of type str: give an Alpha, or what"),
        (lambda tracer, image: Tracer(tracer.model, {"depth": 16}), "config of type dict: give a TraceConfig"),
        (lambda tracer, image: tracer.explain(np.asarray(image)), "image of type ndarray: give a picture of Pillow's"),
        (lambda tracer, image: tracer.explain(None), "image of type NoneType: give a picture of Pillow's"),
        (lambda tracer, image: tracer.readings([batch(1)], [tracer.settings]), "image of type Tensor: give a picture"),
        (lambda tracer, image: tracer.explain(image, 1.5), "target of type float: give a class's index or name"),
        (lambda tracer, image: tracer.explain(image, True), "target of type bool: give a class's index or name"),
        (lambda tracer, image: tracer.explain(image, [1]), "target of type list: give a class's index or name"),
        (lambda tracer, image: list(tracer.explain_many("a.png")), "images of type str: give several"),
        (lambda tracer, image: tracer.traces(batch(1), [Alpha()], "dog"), "targets='dog': give several, such as"),
        (lambda tracer, image: tracer.trace(batch(1).numpy(), [Alpha()]), "batch of type ndarray: give a tensor"),
    ],
)
def test_a_value_of_a_wrong_type_is_one_line(call: Callable[[Tracer, Image.Image], object], said: str) -> None:
    with pytest.raises(TypeError) as raised:
        call(Tracer(named()), Image.new("RGB", (40, 30)))
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_no_weights_are_the_defaults() -> None:
    assert Tracer(named(), alpha=None).settings == Settings()


def test_a_trace_and_an_explanation_are_shown_in_a_line() -> None:
    explanation = Tracer(named()).explain(Image.effect_noise((40, 30), 60), target="dog")
    x0, y0, x1, y1 = (round(side) for side in explanation.box.tolist())
    assert repr(explanation).startswith(f"Explanation('dog {explanation.probability:.1%}")
    assert f"box ({x0}, {y0}, {x1}, {y1}), depth='{explanation.trace.depth}', Alpha(cur=1" in repr(explanation)
    assert repr(explanation.trace).startswith(f"Trace(target=1, probability={explanation.probability:.3f}, depth='")
    assert max(len(repr(explanation)), len(repr(explanation.trace))) < 300
