"""Every method on small random networks: shapes, signs, and that networks are left as found."""

import copy
from collections.abc import Iterable
from dataclasses import replace

import pytest
import torch
import torchvision
from torch import Tensor, fx, nn

from experiments.errors import MethodError
from experiments.methods import METHODS, Method, Subject, find_method
from experiments.methods.layered import layered, stages
from tracer import Alpha, Model, TraceConfig, Weights


class Residual(nn.Module):
    """A small network with a reused in-place ReLU, a functional one, a batch norm and a residual addition."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        stem = self.relu(self.norm(self.stem(image)))
        body = nn.functional.relu(self.body(stem))
        body += stem
        return self.head(torch.flatten(self.pool(self.relu(body)), 1))


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(3)
    network = Residual().eval()
    nn.init.uniform_(network.norm.running_mean, -0.3, 0.3)
    nn.init.uniform_(network.norm.running_var, 0.5, 2)
    return network


@pytest.fixture
def batch() -> Tensor:
    return torch.rand(4, 3, 24, 20, generator=torch.Generator().manual_seed(1))


def subject(network: nn.Module) -> Subject:
    model = Model.of(network)
    return Subject(model, TraceConfig(), Weights(model.architecture, Alpha()))


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_method_gives_one_finite_non_negative_map_an_image(method: Method, network: nn.Module, batch: Tensor) -> None:
    maps = method.prepare(subject(network))(batch, torch.tensor([0, 1, 2, 3]))
    assert maps.shape == (4, 24, 20)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert bool(torch.isfinite(maps).all())
    assert bool((maps >= 0).all())
    assert float(maps.sum()) > 0


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_maps_depend_on_the_target_of_their_own_image_only(method: Method, network: nn.Module, batch: Tensor) -> None:
    attribute = method.prepare(subject(network))
    together = attribute(batch, torch.tensor([0, 1, 2, 3]))
    alone = attribute(batch[2:3], torch.tensor([2]))
    torch.testing.assert_close(together[2], alone[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_network_and_batch_are_left_as_found(method: Method, network: nn.Module, batch: Tensor) -> None:
    state, image = copy.deepcopy(network.state_dict()), batch.clone()
    method.prepare(subject(network))(batch, torch.tensor([0, 1, 2, 3]))
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not any(layer._forward_hooks for layer in network.modules())
    assert torch.equal(batch, image)
    assert not batch.requires_grad


def test_both_grad_cams_agree_up_to_scale(network: nn.Module, batch: Tensor) -> None:
    targets = torch.tensor([0, 1, 2, 3])
    first, second = (find_method(name).prepare(subject(network))(batch, targets) for name in ("grad-cam", "torchcam"))
    correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
    assert float(correlation) > 0.98


class Sum(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second


@pytest.mark.parametrize("addition", [None, Sum])
def test_layered_network_computes_the_same(addition: type[nn.Module] | None, network: nn.Module, batch: Tensor) -> None:
    chain = layered(network, addition)
    torch.testing.assert_close(chain(batch), network(batch))
    calls = [node.target for node in chain.graph.nodes if node.op == "call_module"]
    assert len(calls) == len(set(calls))


@pytest.mark.parametrize("name", ["densenet121", "googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_layered_torchvision_network_computes_the_same(name: str) -> None:
    torch.manual_seed(0)
    options = {"init_weights": False} if name == "googlenet" else {}
    network = torchvision.models.get_model(name, weights=None, **options).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(layered(network)(image), network(image), rtol=1e-3, atol=1e-4)


def outputs(network: fx.GraphModule, layers: Iterable[nn.Module], batch: Tensor) -> list[Tensor]:
    """What some layers put out for a batch."""
    found: list[Tensor] = []
    for layer in layers:
        layer.register_forward_hook(lambda _, __, output: found.append(output))
    with torch.no_grad():
        network(batch)
    return found


def test_last_stage_ends_where_the_average_is_taken(network: nn.Module, batch: Tensor) -> None:
    chain = layered(network)
    last = stages(chain, (3, 24, 20))
    assert list(last) == ["12 x 10"]
    (found,) = outputs(chain, last.values(), batch)
    torch.testing.assert_close(network.head(found.mean((2, 3))), network(batch))


class Branches(nn.Module):
    """Two stages; each ends in a concatenation, and in each the last layer alone is one branch of two."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(3, 4, 1)
        self.third, self.fourth = nn.Conv2d(6, 3, 3, stride=2), nn.Conv2d(6, 2, 3, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        wide = torch.cat([self.one(image), self.other(image)], 1)
        narrow = torch.cat([self.third(wide), self.fourth(wide)], 1)
        return narrow.mean((2, 3))


def test_stages_end_where_branches_meet(batch: Tensor) -> None:
    network = Branches().eval()
    chain = layered(network)
    found = stages(chain, (3, 24, 20), count=5)
    assert list(found) == ["24 x 20", "11 x 9"]
    wide, narrow = outputs(chain, found.values(), batch)
    assert (wide.shape[1], narrow.shape[1]) == (6, 5)
    torch.testing.assert_close(narrow.mean((2, 3)), network(batch))


def test_network_without_locations_is_refused() -> None:
    with pytest.raises(MethodError, match="rows and columns"):
        stages(layered(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()), (3, 2, 2))


@pytest.mark.parametrize("name", [method.name for method in METHODS.values() if method.variants], ids=lambda name: name)
def test_variants_hold_the_methods_own_map(name: str, network: nn.Module, batch: Tensor) -> None:
    targets, method = torch.tensor([0, 1, 2, 3]), find_method(name)
    own = method.prepare(subject(network))(batch, targets)
    variants = method.prepare_variants(subject(network))(batch, targets)
    assert any(torch.allclose(own, variant, atol=1e-6) for variant in variants.values())
    assert all(variant.shape == (4, 24, 20) and bool((variant >= 0).all()) for variant in variants.values())


def test_excitation_backpropagation_shares_out_one_at_every_stage(network: nn.Module, batch: Tensor) -> None:
    targets = torch.tensor([0, 1, 2, 3])
    variants = find_method("excitation-backprop").prepare_variants(subject(network))(batch, targets)
    assert list(variants) == ["image", "12 x 10"]
    torch.testing.assert_close(variants["12 x 10"].sum((1, 2)), torch.full((4,), 4.0), rtol=0.05, atol=0)
    torch.testing.assert_close(variants["image"].sum((1, 2)), torch.ones(4), rtol=0.05, atol=0)


def test_cam_is_grad_cam_on_a_network_that_ends_in_one_average(network: nn.Module, batch: Tensor) -> None:
    network.head.weight.data.abs_()  # Grad-CAM cuts negative evidence off, CAM does not
    targets = torch.tensor([0, 1, 2, 3])
    first, second = (find_method(name).prepare(subject(network))(batch, targets) for name in ("cam", "torchcam"))
    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4)


def test_cam_refuses_a_network_with_two_linear_layers(network: nn.Module, batch: Tensor) -> None:
    network.head = nn.Sequential(nn.Linear(8, 6), nn.Linear(6, 5))
    with pytest.raises(MethodError, match="one linear layer"):
        find_method("cam").prepare(subject(network.eval()))(batch, torch.tensor([0, 1, 2, 3]))


def test_tracer_variants_are_traced_alike_whatever_is_asked_for(network: nn.Module, batch: Tensor) -> None:
    targets = torch.tensor([0, 1, 2, 3])
    asked = replace(subject(network), config=TraceConfig(location="center"), alpha=Alpha(pre=0))
    for name, config, alpha in (
        ("tracer-base", TraceConfig(), Alpha()),
        ("tracer-paper", TraceConfig.paper(), Alpha()),
        ("cnn-fixations", TraceConfig.cnn_fixations(), Alpha(1, 0, 0)),
    ):
        wanted = find_method("tracer").prepare(replace(asked, config=config, alpha=alpha))(batch, targets)
        torch.testing.assert_close(find_method(name).prepare(asked)(batch, targets), wanted)


def test_learned_settings_are_those_of_the_weight_file(network: nn.Module, batch: Tensor) -> None:
    targets, config = torch.tensor([0, 1, 2, 3]), TraceConfig(location="center", spread=4)
    weights = Weights("Residual", Alpha(pre=0), tracer=config)
    wanted = find_method("tracer").prepare(Subject(Model.of(network), config, weights))(batch, targets)
    found = find_method("tracer-learned").prepare(replace(subject(network), alpha=weights))(batch, targets)
    torch.testing.assert_close(found, wanted)


def test_network_without_learned_settings_says_so(network: nn.Module) -> None:
    with pytest.raises(MethodError, match=r"no settings were learned for Residual: name a weight file"):
        find_method("tracer-learned").prepare(replace(subject(network), alpha=Alpha()))


def test_settings_for_another_size_of_input_are_refused(network: nn.Module) -> None:
    with pytest.raises(MethodError, match="at 320 pixels"):
        find_method("tracer").prepare(replace(subject(network), config=TraceConfig(input=320)))


def test_rise_finds_the_pixels_that_the_class_depends_on() -> None:
    class Corner(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            evidence = image[:, :, :6, :6].mean((1, 2, 3)) - 0.5
            return torch.stack([5 * evidence, -5 * evidence], dim=1)

    found = find_method("rise").prepare(subject(Corner()))(torch.ones(1, 3, 24, 24), torch.tensor([0]))[0]
    assert float(found[:6, :6].mean()) > 1.2 * float(found[12:, 12:].mean())


def test_network_that_branches_on_values_is_refused_by_name() -> None:
    class Branching(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image if image.sum() > 0 else -image

    with pytest.raises(MethodError, match="Branching cannot be taken apart"):
        layered(Branching())


def test_captum_lrp_refuses_layers_it_has_no_rule_for(batch: Tensor) -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, (24, 20)), nn.SiLU(), nn.Flatten()).eval()
    with pytest.raises(MethodError, match="SiLU"):
        find_method("lrp-captum").prepare(subject(network))(batch, torch.zeros(4, dtype=torch.int64))


def test_unknown_method_names_the_nearest() -> None:
    with pytest.raises(MethodError, match=r"did you mean grad-cam\+\+"):
        find_method("gradcam++")
