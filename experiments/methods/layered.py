"""A network as a chain of distinct layers, as the attribution libraries want it."""

import copy
import operator
from collections.abc import Callable
from itertools import chain
from typing import cast

import torch
from torch import Tensor, fx, nn
from torch.fx.experimental.optimization import fuse

from experiments.errors import MethodError

_ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
_RELUS = (torch.relu, nn.functional.relu, "relu", "relu_")


def layered(module: nn.Module, addition: Callable[[], nn.Module] | None = None) -> fx.GraphModule:
    """A copy of a network in which every layer is a module of its own, used once, and nothing works in place.

    The copy computes the same outputs. Batch norms that follow a convolution are folded into it, functional ReLUs
    become modules, parameters need no gradient. Hook-based libraries need all of it: captum refuses reused modules,
    both LRPs see modules only and want batch norms folded, and an in-place ReLU overwrites what a CAM reads.

    Args:
        module: A classifier in eval mode; left as it is.
        addition: Makes the module that stands for a residual addition, called with its two branches; ``None`` leaves
            additions as functions.

    Raises:
        MethodError: If the module cannot be traced symbolically.
    """
    try:
        network = cast("fx.GraphModule", fuse(module))
    except Exception as error:  # symbolic tracing runs the user's forward, which may raise anything
        raise MethodError(
            f"{type(module).__name__} cannot be taken apart into layers ({error}): leave out the methods that need it"
        ) from error
    used = set[str]()
    for node in list(network.graph.nodes):
        if node.op == "call_module":
            if node.target in used:
                node.target = _attach(network, node, _twin(network.get_submodule(node.target)))
            used.add(node.target)
        elif node.op in ("call_function", "call_method") and node.target in _RELUS:
            _replace(network, node, nn.ReLU(), node.args[:1])
        elif addition and node.target in _ADDITIONS and all(isinstance(arg, fx.Node) for arg in node.args[:2]):
            _replace(network, node, addition(), node.args[:2])
    for layer in network.modules():
        if hasattr(layer, "inplace"):
            setattr(layer, "inplace", False)  # noqa: B010 (torch types every attribute as tensor or module)
    network.recompile()
    return network.eval().requires_grad_(False)


def _twin(layer: nn.Module) -> nn.Module:
    """A second instance of a layer that shares its parameters."""
    return copy.deepcopy(layer, {id(value): value for value in chain(layer.parameters(), layer.buffers())})


def _attach(network: fx.GraphModule, node: fx.Node, layer: nn.Module) -> str:
    name = f"{str(node.target).replace('.', '_')}_{node.name}"
    network.add_submodule(name, layer)
    return name


def _replace(network: fx.GraphModule, node: fx.Node, layer: nn.Module, args: tuple[object, ...]) -> None:
    name = f"layer_{node.name}"
    network.add_submodule(name, layer)
    node.op, node.target, node.args, node.kwargs = "call_module", name, args, {}  # type: ignore[assignment]


def last_map(network: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The last layer whose output still has rows and columns: where CAM methods look by default.

    Args:
        network: What :func:`layered` returned.
        shape: (3, h, w) of an input.

    Raises:
        MethodError: If no layer's output has more than one location.
    """
    found: list[nn.Module] = []

    def remember(layer: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            found.append(layer)

    handles = [layer.register_forward_hook(remember) for layer in network.modules() if not list(layer.children())]
    try:
        with torch.no_grad():
            network(torch.zeros(1, *shape, device=next(network.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise MethodError("no layer of the network keeps rows and columns: CAM methods need one")
    return found[-1]
