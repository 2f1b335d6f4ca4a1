"""The cuts of a network at which its evidence can be read.

A *cut* is a map that every path from the class to the image passes through: all evidence that goes further is there.
The evidence read at a cut is the share of each of its cells, summed over the channels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracer.config import Depth, parse_stride
from tracer.errors import DepthError, nearest
from tracer.network import Operation


@dataclass(frozen=True)
class Cut:
    """A map that all evidence passes through.

    Args:
        operation: Whose result it is.
        stride: How many pixels of the image a cell is wide, as the nearest power of two; 1 for the image itself.
    """

    operation: Operation
    stride: int

    @property
    def name(self) -> str:
        """The layer, as the model names it, or the operator where no layer calls it; ``image`` for the image."""
        return self.operation.layer or (self.operation.name if self.operation.inputs else "image")


def find_cuts(
    output: Operation, image: Operation, order: Sequence[Operation], inputs: Mapping[Operation, Sequence[Operation]]
) -> list[Cut]:
    """The cuts of a network, from the image to the class.

    Args:
        output: The class scores.
        image: The image.
        order: All operations, each after those that it reads.
        inputs: The operations that a trace goes on to from each.
    """
    cuts = []
    pending = {output}
    for operation in reversed(order):
        if operation not in pending:
            continue
        if len(pending) == 1 and len(operation.shape) == 3 and operation.shape[1] * operation.shape[2] > 1:
            cuts.append(Cut(operation, 1 << max(0, round(math.log2(image.shape[1] / operation.shape[1])))))
        pending.remove(operation)
        pending |= set(inputs.get(operation, ()))
    return cuts[::-1]


def cut_at(depth: Depth, cuts: Sequence[Cut]) -> Cut:
    """The cut at which a configuration reads.

    Args:
        depth: ``"image"``, a stride, ``"last"`` and a stride, or a layer's name (:class:`tracer.TraceConfig`).
        cuts: Those of the network, from the image to the class.

    Raises:
        DepthError: If a name is no cut of the network; gives the nearest.
    """
    if depth == "image":
        return cuts[0]
    stride, last = parse_stride(depth)
    if stride is not None:
        nearest_stride = max(cut.stride for cut in cuts if cut.stride <= stride)
        alike = [cut for cut in cuts if cut.stride == nearest_stride]
        return alike[-1] if last else alike[0]
    inside = [cut for cut in cuts if cut.name == depth or cut.name.startswith(f"{depth}.")]
    if not inside:
        names = list(dict.fromkeys(cut.name for cut in cuts))
        strides = ", ".join(sorted({str(cut.stride) for cut in cuts}, key=int))
        raise DepthError(
            f"depth {depth!r}: no cut of the network{nearest(str(depth), names)}; write 'image', a stride ({strides}), "
            f"'last' and a stride, or one of {', '.join(names)}"
        )
    return inside[-1]
