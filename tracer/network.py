"""A model as its graph of ATen operators, and the activations of a batch.

``torch.export`` turns any exportable CNN into a few dozen operators without side effects, so that functional and
in-place activations, reused modules and Python control flow need no care of their own. A batch norm after a convolution
is folded into its weights. The user's module is left as it is.
"""

import math
import operator
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from tracer import graph_cache
from tracer.errors import ExportError, InputError
from tracer.graph import Graph, Parameter, Result, capture, in_eval_mode

aten = torch.ops.aten

_BATCH_NORM = aten._native_batch_norm_legit_no_training.default
_CONVOLUTIONS = (aten.conv2d.default, aten.conv2d.padding)
# The recorded activations are stored channels last, where a view of a map may need a copy.
_SAFE_TARGETS = {aten.view.default: torch.reshape, aten._unsafe_view.default: torch.reshape}


@dataclass(frozen=True, eq=False)
class Operation:
    """One operator of the graph.

    Args:
        name: Unique in the graph, such as ``conv2d_3``.
        layer: Path of the module that called it, such as ``layer1.0.conv1``; empty for the image.
        target: The ATen overload, or ``None`` for the image.
        args: Positional arguments, with operations in the place of their results and parameters as tensors.
        kwargs: Named arguments, likewise.
        shape: Shape of the result for one image, without the batch: (channels, height, width) of a map.
    """

    name: str
    layer: str
    target: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...]

    @cached_property
    def inputs(self) -> tuple["Operation", ...]:
        """The operations whose results this one reads, in the order of its arguments."""
        leaves = pytree.tree_leaves((self.args, dict(self.kwargs)))
        return tuple(leaf for leaf in leaves if isinstance(leaf, Operation))

    @cached_property
    def size(self) -> int:
        """Number of neurons of the result, for one image."""
        return math.prod(self.shape)

    def named(self, *names: str) -> dict[str, Any]:
        """The arguments by name; those that the graph leaves out, for they have their defaults, are missing."""
        return {**dict(zip(names, self.args, strict=False)), **self.kwargs}

    @property
    def place(self) -> str:
        """The operator and where the model calls it, for messages."""
        return f"{self.target} in layer {self.layer!r}" if self.layer else str(self.target)

    def evaluate(self, values: Mapping["Operation", Any]) -> Any:
        """The result of the operator on the results of its inputs."""
        args = [_filled(argument, values) for argument in self.args]
        kwargs = {name: _filled(argument, values) for name, argument in self.kwargs.items()}
        return _SAFE_TARGETS.get(self.target, self.target)(*args, **kwargs)


def _filled(argument: Any, values: Mapping[Operation, Any]) -> Any:
    """An argument of an operator with results in the place of operations, which may stand in lists."""
    if isinstance(argument, Operation):
        return values[argument]
    if isinstance(argument, (list, tuple)):
        return [_filled(each, values) for each in argument]
    return argument


class Network:
    """The graph of a module for one size of image.

    Args:
        module: A CNN classifier that takes (batch, channels, height, width) and returns (batch, classes).
        size: Height and width of the images, in pixels.
        channels: Of the images: 3, or 1 for greyscale.
        choose: Which of several outputs are the class scores (:func:`class_scores`).

    Raises:
        ExportError: If ``torch.export`` cannot capture the module, or its result is not one tensor (batch, classes).
    """

    def __init__(
        self, module: nn.Module, size: tuple[int, int], channels: int = 3, choose: "Choice | None" = None
    ) -> None:
        parameter = next(module.parameters(), torch.empty(0))
        self.device, self.dtype = parameter.device, parameter.dtype
        shape = (channels, *size)
        scores = in_eval_mode(_Scores(module, choose))
        place = graph_cache.place(scores, shape, self.device, self.dtype)
        kept = graph_cache.read(place)
        if kept is None or not self._builds(kept, scores, shape):
            graph = capture(scores, shape, self.device, self.dtype, type(module).__name__)
            self._build(graph, scores)
            graph_cache.write(place, graph)
        if len(self.output.shape) != 1:
            raise ExportError(
                f"the model returns {('batch', *self.output.shape)}, and the tracer explains one score a class, "
                "(batch, classes); choose one step of a sequence or one place of a map by the model's attribute "
                "class_scores, such as `class_scores = lambda scores: scores[:, 0]`"
            )

    def _builds(self, graph: Graph, module: nn.Module, shape: tuple[int, int, int]) -> bool:
        """Build the network of a graph that was kept; whether it computes the module's own scores of random images."""
        images = torch.randn(2 if graph.batched else 1, *shape, generator=torch.Generator().manual_seed(0))
        images = images.to(self.device, self.dtype)
        try:
            self._build(graph, module)
            found, _ = self._run(images, [])
        except Exception:  # a graph of another module may ask for anything
            return False
        with torch.inference_mode():
            expected = module(images)
        tolerance = math.sqrt(torch.finfo(self.dtype).eps) * float(expected.abs().max())
        return found.shape == expected.shape and bool(((found - expected).abs() <= tolerance).all())

    def _build(self, graph: Graph, module: nn.Module) -> None:
        """Bind a graph to a module's tensors and make of it what is run."""
        tensors = {
            **dict(module.named_parameters(remove_duplicate=False)),
            **dict(module.named_buffers(remove_duplicate=False)),
            **graph.constants,
        }
        self.batched = graph.batched
        self.operations = _without_unused(*_fold_batch_norms(*_operations(graph, tensors)))
        self.image = self.operations[0]
        self.output = self.operations[-1]
        last_reader = {read: reader for reader in self.operations for read in reader.inputs}
        self._done_after: dict[Operation, list[Operation]] = {operation: [] for operation in self.operations}
        for read, reader in last_reader.items():
            self._done_after[reader].append(read)

    def run(self, batch: Tensor, keep: Collection[Operation]) -> tuple[Tensor, dict[Operation, Tensor]]:
        """The class scores of a batch and the activations that are to be kept.

        Args:
            batch: Images, shape (b, 3, h, w), in the network's own normalisation.
            keep: The operations whose results are wanted.

        Returns:
            Scores, shape (b, classes), and one tensor (b, *operation.shape) an operation.

        Raises:
            InputError: If the batch has another shape than the network was exported for.
        """
        if batch.ndim != 4 or tuple(batch.shape[1:]) != self.image.shape:
            raise InputError(
                f"a batch of shape {tuple(batch.shape)}: expected (b, {', '.join(map(str, self.image.shape))})"
            )
        batch = batch.to(self.device, self.dtype)
        if self.batched:
            return self._run(batch, keep)
        runs = [self._run(image, keep) for image in torch.split(batch, 1)]
        scores = torch.cat([scores for scores, _ in runs])
        return scores, {kept: torch.cat([values[kept] for _, values in runs]) for kept in keep}

    @torch.inference_mode()
    def _run(self, batch: Tensor, keep: Collection[Operation]) -> tuple[Tensor, dict[Operation, Tensor]]:
        wanted = {*keep, self.output}
        values: dict[Operation, Any] = {self.image: batch.contiguous(memory_format=torch.channels_last)}
        for operation in self.operations[1:]:
            values[operation] = operation.evaluate(values)
            for read in self._done_after[operation]:
                if read not in wanted:
                    del values[read]
        return values[self.output], {kept: values[kept] for kept in keep}


Choice = str | int | Callable[[Any], Tensor]
"""Which output of a model holds its class scores: a name, a place, or a function that makes them of all outputs."""


def class_scores(result: Any, choose: Choice | None = None) -> Tensor:
    """What is to be explained of what a model returned.

    Args:
        result: What it returned.
        choose: Which part of it; ``None`` where it is one tensor. A name is ``"logits"``, or a path such as
            ``"[1]['logits']"``.

    Raises:
        ExportError: If the model returns several outputs, such as an embedding and the class scores, and none is
            chosen, or the choice is not among them; names each with its shape.
    """
    if callable(choose):
        return choose(result)
    if choose is None and isinstance(result, Tensor):
        return result
    outputs = {pytree.keystr(path): leaf for path, leaf in pytree.tree_flatten_with_path(result)[0]}
    for place in (f"[{choose!r}]", str(choose)):
        if isinstance(outputs.get(place), Tensor):
            return cast("Tensor", outputs[place])
    shown = [
        f"{place or 'result'} {_batch_shape(leaf)}" if isinstance(leaf, Tensor) else f"{place} {leaf!r}"
        for place, leaf in outputs.items()
    ]
    likely = [place for place, leaf in outputs.items() if isinstance(leaf, Tensor) and leaf.ndim == 2] or ["[0]"]
    raise ExportError(
        f"the model returns {type(result).__name__} of {', '.join(shown)}, and only one of them can be explained; say "
        f'which by the model\'s attribute class_scores, such as `class_scores = "{likely[-1]}"`'
    )


class _Scores(nn.Module):
    """A model's class scores alone."""

    def __init__(self, model: nn.Module, choose: Choice | None) -> None:
        super().__init__()
        self.model = model
        self.choose = choose

    def forward(self, images: Tensor) -> Tensor:
        """Shape (batch, classes)."""
        return class_scores(self.model(images), self.choose)


def to_numpy(tensor: Tensor) -> NDArray[np.floating[Any]]:
    """A tensor's values as a contiguous array in the processor's memory; half precision becomes float32."""
    return tensor.detach().to("cpu", torch.promote_types(tensor.dtype, torch.float32)).contiguous().numpy()


def _operations(graph: Graph, tensors: Mapping[str, Tensor]) -> tuple[list[Operation], Operation]:
    """The operations of a graph in order, bound to a module's tensors, and the one whose result is the class scores."""
    results: dict[str, Any] = {}
    bound = {path: _channels_last(tensor.detach()) for path, tensor in tensors.items()}
    operations: list[Operation] = []

    def bind(leaf: Any) -> Any:
        if isinstance(leaf, Result):
            return results[leaf.call]
        return bound[leaf.path] if isinstance(leaf, Parameter) else leaf

    for call in graph.calls:
        args, kwargs = pytree.tree_map(bind, (tuple(call.args), dict(call.kwargs)))
        layer = call.layer.removeprefix("model").removeprefix(".")  # of _Scores
        operation = Operation(call.name, layer, call.target, args, kwargs, call.shape)
        if call.target is not None and not operation.inputs:
            results[call.name] = _constant(operation)
            continue
        results[call.name] = operation
        operations.append(operation)
    return operations, results[graph.output]


@torch.no_grad()
def _constant(operation: Operation) -> Any:
    """The result of an operation that reads no image, such as a weight that the model standardises, as a parameter."""
    return pytree.tree_map_only(Tensor, lambda tensor: _channels_last(tensor.detach()), operation.evaluate({}))


def _batch_shape(tensor: Tensor) -> str:
    return f"({', '.join(['batch', *map(str, tensor.shape[1:])])})"


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _fold_batch_norms(operations: list[Operation], output: Operation) -> tuple[list[Operation], Operation]:
    """The operations with every batch norm that follows a convolution folded into the convolution's weights."""
    readers = Counter(read for operation in operations for read in operation.inputs)
    renamed: dict[Operation, Operation] = {}
    for operation in operations:
        args, kwargs = pytree.tree_map(
            lambda leaf: renamed[leaf] if isinstance(leaf, Operation) else leaf,
            (operation.args, dict(operation.kwargs)),
        )
        result = replace(operation, args=args, kwargs=kwargs)
        if operation.target is operator.getitem and operation.args[0].target is _BATCH_NORM:
            convolution = operation.args[0].args[0]
            if convolution.target in _CONVOLUTIONS and readers[convolution] == 1:
                result = _folded(renamed[convolution], args[0])
        renamed[operation] = result
    return list(renamed.values()), renamed[output]


def _folded(convolution: Operation, norm: Operation) -> Operation:
    """The convolution that computes what the convolution and the batch norm after it compute."""
    image, weight, *rest = convolution.args
    _, gamma, beta, mean, variance, _, epsilon = norm.args
    gain = torch.rsqrt(variance.double() + epsilon)
    gain = gain if gamma is None else gain * gamma.double()
    bias = rest[0].double() if rest and rest[0] is not None else torch.zeros_like(gain)
    shift = (bias - mean.double()) * gain + (0 if beta is None else beta.double())
    scaled = _channels_last((weight.double() * gain[:, None, None, None]).to(weight.dtype))
    return replace(convolution, args=(image, scaled, shift.to(weight.dtype), *rest[1:]))


def _without_unused(operations: list[Operation], output: Operation) -> list[Operation]:
    """The image and the operations on which the output depends, in order; the output comes last."""
    used = {output}
    for operation in reversed(operations):
        if operation in used:
            used.update(operation.inputs)
    return [operation for operation in operations if operation in used or operation.target is None]
