"""Every method on small random networks: shapes, signs, and that networks are left as found."""

import copy

import pytest
import torch
import torchvision
from torch import Tensor, nn

from experiments.errors import MethodError
from experiments.methods import METHODS, Method, Subject, find_method
from experiments.methods.layered import last_map, layered
from tracer import Alpha, Model, TraceConfig


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
    return Subject(Model.of(network), TraceConfig(), Alpha())


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


def test_last_map_is_the_deepest_layer_with_locations(network: nn.Module) -> None:
    chain = layered(network)
    calls = [chain.get_submodule(node.target) for node in chain.graph.nodes if node.op == "call_module"]
    assert [type(layer) for layer in calls[-3:]] == [nn.ReLU, nn.AdaptiveAvgPool2d, nn.Linear]
    assert last_map(chain, (3, 24, 20)) is calls[-3]


def test_network_without_locations_is_refused() -> None:
    with pytest.raises(MethodError, match="rows and columns"):
        last_map(layered(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).eval()), (3, 2, 2))


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
