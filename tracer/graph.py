"""A module's graph of ATen operators as plain data, captured by ``torch.export``.

The graph names parameters and holds none, so that it can be kept as a file and serve every network of that shape.
"""

import copy
import json
import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.graph_signature import OutputKind
from torch.utils import _pytree as pytree

from tracer.errors import ExportError


@dataclass(frozen=True)
class Result:
    """In a call's arguments: the result of an earlier call."""

    call: str


@dataclass(frozen=True)
class Parameter:
    """In a call's arguments: a parameter, buffer or constant of the module, by its path."""

    path: str


@dataclass(frozen=True)
class Call:
    """One operator called once.

    Args:
        name: Unique in the graph, such as ``conv2d_3``.
        layer: Path of the module that called it; empty for the image and for what the model itself calls.
        target: The ATen overload or Python operator; ``None`` for the image.
        args: Positional arguments, with :class:`Result` and :class:`Parameter` in their places.
        kwargs: Named arguments, likewise.
        shape: Shape of the result for one image, without the batch.
    """

    name: str
    layer: str
    target: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """Calls in the order in which they run.

    Args:
        batched: Whether the graph takes any batch, or one image at a time.
        calls: The calls; the image is among them.
        output: Name of the call that returns the class scores.
        constants: Tensors that are no parameters, such as a mean written into ``forward``, by their path.
    """

    batched: bool
    calls: tuple[Call, ...]
    output: str
    constants: Mapping[str, Tensor]

    def to_json(self) -> str:
        """The graph as text.

        Raises:
            TypeError: If it has constants, or arguments that text cannot hold.
        """
        if self.constants:
            raise TypeError(f"constants: {', '.join(self.constants)}")
        calls = [{**vars(call), "target": _target_name(call.target)} for call in self.calls]
        return json.dumps({"batched": self.batched, "output": self.output, "calls": calls}, default=_encode)

    @classmethod
    def from_json(cls, text: str) -> "Graph":
        """What :meth:`to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: If the text is damaged, or names what torch does not have.
        """
        document = json.loads(text, object_hook=_decode)
        calls = tuple(
            Call(**{**call, "target": _target(call["target"]), "shape": tuple(call["shape"])})
            for call in document["calls"]
        )
        return cls(document["batched"], calls, document["output"], {})


def capture(
    module: nn.Module, shape: tuple[int, int, int], device: torch.device, dtype: torch.dtype, name: str = "the model"
) -> Graph:
    """The graph of a module in eval mode, free of in-place operators.

    Args:
        module: Takes (batch, *shape) and returns one tensor.
        shape: Channels, height and width of the images.
        device: Where the module is.
        dtype: Of its parameters.
        name: What a message calls it.

    Raises:
        ExportError: If ``torch.export`` cannot capture it.
    """
    errors: list[Exception] = []
    for batched in (True, False):
        images = torch.zeros(2 if batched else 1, *shape, device=device, dtype=dtype)
        dynamic = ({0: torch.export.Dim.DYNAMIC},) if batched else None
        try:
            with torch.no_grad():
                program = torch.export.export(module, (images,), dynamic_shapes=dynamic, strict=False)
                return _graph(batched, program.run_decompositions({}))
        except ExportError:
            raise
        except Exception as error:  # torch.export raises whatever the user's forward raises
            errors.append(error)
    cause = str(errors[-1]).strip().splitlines()
    raise ExportError(
        f"torch.export cannot capture {name} for images of {' x '.join(map(str, shape))}: "
        f"{type(errors[-1]).__name__}: {cause[0] if cause else ''}"
    ) from errors[-1]


def in_eval_mode(module: nn.Module) -> nn.Module:
    """The module, or a copy where a part of it is in training mode."""
    return copy.deepcopy(module).eval() if any(part.training for part in module.modules()) else module


def _graph(batched: bool, program: torch.export.ExportedProgram) -> Graph:
    signature = program.graph_signature
    constants = dict(signature.inputs_to_lifted_tensor_constants)
    paths = {**signature.inputs_to_parameters, **signature.inputs_to_buffers, **constants}

    def encode(leaf: Any) -> Any:
        if not isinstance(leaf, torch.fx.Node):
            return leaf
        return Parameter(paths[leaf.name]) if leaf.name in paths else Result(leaf.name)

    calls = []
    for node in program.graph.nodes:
        if node.op == "output" or node.name in paths:
            continue
        args, kwargs = pytree.tree_map(encode, (tuple(node.args), dict(node.kwargs)))
        target = node.target if node.op == "call_function" else None
        calls.append(Call(node.name, _layer(node), target, args, kwargs, _shape(node)))
    # The graph also returns what it writes to buffers, before what the model returns.
    (output,) = (
        returned.name
        for returned, spec in zip(program.graph.output_node().args[0], signature.output_specs, strict=True)
        if spec.kind is OutputKind.USER_OUTPUT
    )
    return Graph(batched, tuple(calls), output, {path: program.constants[path] for path in constants.values()})


def _layer(node: torch.fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]) if stack else ""


def _shape(node: torch.fx.Node) -> tuple[int, ...]:
    value = node.meta.get("val")
    if isinstance(value, (tuple, list)) and value:  # the first of several results, as of a pooling with its indices
        value = value[0]
    return tuple(int(extent) for extent in value.shape[1:]) if isinstance(value, Tensor) else ()


def _target_name(target: Any) -> str | None:
    if target is None:
        return None
    if isinstance(target, torch._ops.OpOverload):
        return str(target)
    name = target.__name__
    if getattr(operator, name, None) is target:
        return f"operator.{name}"
    raise TypeError(f"target {target!r}")


def _target(name: str | None) -> Any:
    if name is None:
        return None
    space, *path = name.split(".")
    found: Any = operator if space == "operator" else getattr(torch.ops, space)
    for part in path:
        found = getattr(found, part)
    return found


def _encode(leaf: Any) -> dict[str, Any]:
    if isinstance(leaf, Result | Parameter):
        return {f"${type(leaf).__name__}": asdict(leaf)}
    if isinstance(leaf, torch.dtype | torch.memory_format | torch.layout):
        return {"$torch": str(leaf).removeprefix("torch.")}
    if isinstance(leaf, torch.device):
        return {"$device": str(leaf)}
    raise TypeError(f"argument {leaf!r}")


def _decode(document: dict[str, Any]) -> Any:
    match document:
        case {"$Result": value}:
            return Result(**value)
        case {"$Parameter": value}:
            return Parameter(**value)
        case {"$torch": name}:
            return getattr(torch, name)
        case {"$device": name}:
            return torch.device(name)
    return document
