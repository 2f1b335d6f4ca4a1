"""A network as a chain of distinct layers, as the attribution libraries want it."""

import copy
import operator
from collections.abc import Callable
from itertools import chain
from typing import cast

import torch
from torch import fx, nn
from torch.fx.experimental.optimization import fuse
from torch.fx.passes.shape_prop import ShapeProp

from experiments.errors import MethodError

_ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")
_RELUS = (torch.relu, nn.functional.relu, "relu", "relu_")

STAGES = 4
"""Stages, counted from the last, at which a method is tried where its layer may be chosen."""


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


def stages(network: fx.GraphModule, shape: tuple[int, ...], count: int = 1) -> dict[str, nn.Module]:
    """The last layer of each of the network's last stages, by the size of its map (``14 x 14``), shallowest first.

    A stage is a run of layers with maps of one size. Its last layer is the last place of that size that all evidence
    passes: where branches meet again, not the end of one of them. An identity is put there, which outputs exactly what
    the stage does, also where that comes of a function such as a concatenation.

    Args:
        network: What :func:`layered` returned; it gets the identities.
        shape: (3, h, w) of an input.
        count: How many stages, counted from the last; the last is where CAM methods look by default.

    Raises:
        MethodError: If no layer's output has more than one location.
    """
    with torch.no_grad():
        ShapeProp(network).propagate(torch.zeros(1, *shape, device=next(network.parameters()).device))
    found: dict[str, fx.Node] = {}
    order = {node: place for place, node in enumerate(network.graph.nodes)}
    used = 0  # the last place where an output of an earlier node is used
    for node, place in order.items():
        size = tuple(getattr(node.meta.get("tensor_meta"), "shape", ()))
        if node.op.startswith("call") and used <= place and len(size) == 4 and size[2] * size[3] > 1:
            found[f"{size[2]} x {size[3]}"] = node
        if node.op != "get_attr":
            used = max([used, *(order[user] for user in node.users)])
    if not found:
        raise MethodError("no layer of the network keeps rows and columns: CAM methods need one")
    last = sorted(found.items(), key=lambda item: order[item[1]])[-count:]
    identities = {size: _follow(network, node) for size, node in last}
    network.recompile()
    return identities


def _follow(network: fx.GraphModule, node: fx.Node) -> nn.Module:
    """An identity between a node and all that use it."""
    name, identity = f"stage_{node.name}", nn.Identity()
    network.add_submodule(name, identity)
    with network.graph.inserting_after(node):
        follower = network.graph.call_module(name, (node,))
    node.replace_all_uses_with(follower, delete_user_cb=lambda user: user is not follower)
    return identity
