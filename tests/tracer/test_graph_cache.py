"""A graph is captured once: then it is read, unless something that it depends on differs or the file is damaged."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from tracer import Preprocessing, graph, graph_cache, network
from tracer.errors import OutputError
from tracer.files import cache_folder
from tracer.graph import Graph
from tracer.network import Network

SHAPE = (3, 12, 10)


class Scaled(nn.Module):
    """A classifier whose graph depends on attributes."""

    def __init__(self, scale: float = 2.0, activation=torch.relu) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)
        self.scale, self.activation = scale, activation

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.activation(self.norm(self.conv(x)) * self.scale).mean((2, 3)))


@dataclass
class Settings:
    """A forward pass may read more of it than its fields."""

    scale: float


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRACER_CACHE", str(tmp_path))
    return tmp_path / "graphs"


@pytest.fixture
def captured(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[nn.Module]]:
    """The modules that were captured rather than read."""
    modules: list[nn.Module] = []

    def counted(module: nn.Module, *arguments) -> Graph:
        modules.append(module)
        return graph.capture(module, *arguments)

    monkeypatch.setattr(network, "capture", counted)
    return modules


def scores(module: nn.Module, images: Tensor) -> Tensor:
    return Network(module, (12, 10)).run(images, [])[0]


def test_a_graph_is_captured_once_and_serves_other_parameters(captured: list[nn.Module]) -> None:
    images = torch.randn(2, *SHAPE)
    for seed in (0, 1):
        torch.manual_seed(seed)
        module = Scaled().eval()
        assert torch.allclose(scores(module, images), module(images), atol=1e-5)
    assert len(captured) == 1


@pytest.mark.parametrize("other", [Scaled(3.0), Scaled(activation=torch.tanh), Scaled().double()])
def test_what_a_graph_depends_on_is_in_its_name(captured: list[nn.Module], other: nn.Module) -> None:
    for module in (Scaled().eval(), other.eval()):
        images = torch.randn(2, *SHAPE, dtype=module.head.weight.dtype)
        assert torch.allclose(scores(module, images), module(images), atol=1e-5)
    assert len(captured) == 2


def test_how_images_enter_is_part_of_the_name(captured: list[nn.Module]) -> None:
    for side in (12, 12, 20):
        module = Scaled().eval()
        module.preprocessing = Preprocessing(side, side)
        Network(module, (12, 10))
    assert len(captured) == 2


def test_another_size_of_image_is_another_graph(captured: list[nn.Module]) -> None:
    module = Scaled().eval()
    assert Network(module, (12, 10)).image.shape != Network(module, (10, 12)).image.shape
    assert len(captured) == 2


class Hidden:
    """Holds a number where no graph cache can see it."""

    factor = 2.0


def hidden_factor(x: Tensor) -> Tensor:
    return x * Hidden.factor


def test_a_graph_that_computes_something_else_than_the_module_is_captured_again(
    captured: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    images, module = torch.randn(2, *SHAPE), Scaled(activation=hidden_factor).eval()
    for factor in (2.0, 5.0, 5.0):
        monkeypatch.setattr(Hidden, "factor", factor)
        assert torch.allclose(scores(module, images), module(images), atol=1e-5)
    assert len(captured) == 2


def test_what_cannot_be_named_is_captured_each_time(captured: list[nn.Module], folder: Path) -> None:
    hooked = Scaled().eval()
    hooked.conv.register_forward_hook(lambda *_: None)
    opaque = Scaled().eval()
    opaque.anything = object()
    settings = Scaled().eval()
    settings.settings = Settings(2.0)
    for module in (hooked, hooked, opaque, opaque, settings, settings):
        Network(module, (12, 10))
    assert len(captured) == 6
    assert not folder.exists()


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"batched": true, "output": "x", "calls": []}', b"\xff\xfe"])
def test_a_damaged_file_counts_as_missing_and_is_written_anew(
    captured: list[nn.Module], folder: Path, damage: bytes
) -> None:
    module, images = Scaled().eval(), torch.randn(2, *SHAPE)
    Network(module, (12, 10))
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert torch.allclose(scores(module, images), module(images), atol=1e-5)
    assert file.read_bytes() == whole
    assert len(captured) == 2


def test_a_cache_that_cannot_be_written_costs_time_only(
    captured: list[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRACER_CACHE", str(tmp_path / "file"))
    for _ in range(2):
        Network(Scaled().eval(), (12, 10))
    assert len(captured) == 2


def test_without_a_home_nothing_is_kept(captured: list[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as a number that no user has."""
    monkeypatch.setenv("TRACER_CACHE", "~nosuchuser/cache")
    with pytest.raises(OutputError, match="name one by TRACER_CACHE in the environment"):
        cache_folder()
    Network(Scaled().eval(), (12, 10))
    assert len(captured) == 1


def test_several_may_write_and_read_at_once(folder: Path) -> None:
    module, images = Scaled().eval(), torch.randn(2, *SHAPE)
    file = graph_cache.place(module, SHAPE, torch.device("cpu"), torch.float32)
    made = graph.capture(module, SHAPE, torch.device("cpu"), torch.float32)
    found: list[Graph | None] = []

    def both() -> None:
        for _ in range(20):
            graph_cache.write(file, made)
            found.append(graph_cache.read(file))

    threads = [threading.Thread(target=both) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {graph.to_json() for graph in found if graph} == {made.to_json()}
    assert None not in found
    assert torch.allclose(scores(module, images), module(images), atol=1e-5)


def test_old_graphs_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_cache, "_KEPT", 2)
    for number in range(4):
        graph_cache.write(folder / f"{number}.json", Graph(True, (), "x", {}))
    assert sorted(file.name for file in folder.iterdir()) == ["2.json", "3.json"]


@pytest.mark.parametrize("make", [models.squeezenet1_1, models.shufflenet_v2_x0_5])
def test_networks_of_torchvision_are_kept(captured: list[nn.Module], make) -> None:
    module = make(weights=None).eval()
    images = torch.randn(1, 3, 64, 64)
    for _ in range(2):
        found, _ = Network(module, (64, 64)).run(images, [])
        assert torch.allclose(found, module(images), atol=1e-3)
    assert len(captured) == 1
