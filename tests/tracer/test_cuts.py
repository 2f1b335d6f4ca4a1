"""Every cut is one, strides are right, and depths are found by stride or by name."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from tracer.errors import DepthError
from tracer.network import Network, Operation
from tracer.trace import Tracer
from tracer.walk import Plan


class Tiny(nn.Module):
    """Two branches that meet, an operator that no layer calls, and a block with layers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(self.stem(x).relu(), 2)
        return self.head((self.block(x) + x).mean((2, 3)))


@cache
def plan(name: str) -> Plan:
    """The plan of a network of random weights for images of 64 x 96."""
    torch.manual_seed(0)
    module = Tiny() if name == "tiny" else models.get_model(name, weights=None)
    return Plan(Network(module.eval(), (64, 96)))


def connected(plan: Plan, removed: Operation) -> bool:
    """Whether evidence can go from the class to the image without passing an operation."""
    pending, seen = [plan.network.output], {removed}
    while pending:
        operation = pending.pop()
        if operation not in seen:
            seen.add(operation)
            if operation is plan.network.image:
                return True
            pending += plan.rules[operation].inputs
    return False


NETWORKS = ["tiny", "resnet18", "squeezenet1_1", "densenet121"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_map_is_a_cut_just_where_removing_it_disconnects_class_and_image(name: str) -> None:
    made = plan(name)
    maps = [
        operation
        for operation in made.network.operations
        if (operation in made.rules or operation is made.network.image)
        and len(operation.shape) == 3
        and operation.shape[1] * operation.shape[2] > 1
    ]
    expected = [operation for operation in maps if operation is made.network.image or not connected(made, operation)]
    assert [cut.operation for cut in made.cuts] == expected


@pytest.mark.parametrize(
    ("name", "strides"),
    [("tiny", [1, 2]), ("resnet18", [1, 2, 4, 8, 16, 32]), ("squeezenet1_1", [1, 2, 4, 8, 16])],
)
def test_strides_are_how_many_pixels_a_cell_is_wide(name: str, strides: list[int]) -> None:
    made = plan(name)
    assert sorted({cut.stride for cut in made.cuts}) == strides
    for cut in made.cuts:
        rows = cut.operation.shape[1]
        assert cut.stride / 2**0.5 <= 64 / rows <= cut.stride * 2**0.5  # squeezenet's maps lose a border


@pytest.mark.parametrize(
    ("depth", "layer", "shape"),
    [
        ("image", "image", (3, 64, 96)),
        (1, "image", (3, 64, 96)),
        (2, "conv1", (64, 32, 48)),
        (4, "maxpool", (64, 16, 24)),
        (16, "layer3.0.relu", (256, 4, 6)),
        (32, "layer4.0.relu", (512, 2, 3)),
        (128, "layer4.0.relu", (512, 2, 3)),
        ("layer3", "layer3.1.relu", (256, 4, 6)),
        ("layer3.0", "layer3.0.relu", (256, 4, 6)),
    ],
)
def test_resnet_is_read_by_stride_or_by_name(depth: int | str, layer: str, shape: tuple[int, ...]) -> None:
    cut = plan("resnet18").cut(depth)
    assert cut.operation.shape == shape
    assert cut.name.startswith(layer.rpartition(".")[0] if "." in layer else layer)


def test_an_operator_that_no_layer_calls_is_named_by_itself() -> None:
    names = [cut.name for cut in plan("tiny").cuts]
    assert names.count("image") == 1
    assert plan("tiny").cut("max_pool2d").operation.shape == (4, 32, 48)


@pytest.mark.parametrize(
    ("depth", "said"),
    [
        ("layer5", r"depth 'layer5': no cut of the network \(nearest: layer"),
        ("layer3.0.conv1", r"depth 'layer3.0.conv1': no cut of the network \(nearest: layer3"),
        (
            "fc",
            r"depth 'fc': no cut of the network.*; write 'image', a stride \(1, 2, 4, 8, 16, 32\), .* or one of image",
        ),
    ],
)
def test_a_name_that_is_no_cut_is_refused_with_the_nearest(depth: str, said: str) -> None:
    with pytest.raises(DepthError, match=said) as raised:
        plan("resnet18").cut(depth)
    assert "\n" not in str(raised.value)


def test_a_tracer_refuses_a_depth_that_is_no_cut() -> None:
    tracer = Tracer(Tiny().eval())
    with pytest.raises(DepthError, match="blok"):
        tracer.trace(torch.zeros(1, 3, 16, 16), [tracer.settings.changed({"depth": "blok"})])
