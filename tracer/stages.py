"""The walks that many settings need, each made once.

All settings of an image form a tree of four stages: forward pass, walk, read, box. Each node of it is computed once:
one forward pass serves every walk at its size of input, one walk every depth it is read at, one map every cut.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tracer.cuts import Cut
from tracer.dense import DenseWalk
from tracer.evidence import as_table
from tracer.network import Operation
from tracer.neurons import Index, Shares
from tracer.reading import Trace
from tracer.settings import Settings
from tracer.walk import Activations, ImageWalk, Plan

_Key = tuple[tuple[Any, ...], Settings, Operation]
"""What decides the shares of a map: the choices of the walk, the weights, and where the map is read."""

_Cells = tuple[Index, Shares]
"""The cells of a map that have evidence, numbered row by row and ascending, and the share of each."""


class Walks:
    """What the walks over one batch found: the share of every cell, by the settings that decide it.

    Args:
        plan: The network and its rules.
        scores: Class scores, shape (b, classes).
        activations: The batch's.
        explained: Numbers of images in the batch, each with a class to explain.
    """

    def __init__(
        self, plan: Plan, scores: Tensor, activations: Activations, explained: Sequence[tuple[int, int]]
    ) -> None:
        self._plan = plan
        self._activations = activations
        self._explained = explained
        self._probabilities: NDArray[np.float64] = scores.double().softmax(1).cpu().numpy()
        self._cells: list[dict[_Key, _Cells]] = [{} for _ in explained]
        self._traces: list[dict[tuple[_Key, bool], Trace]] = [{} for _ in explained]

    def walk(self, arms: Sequence[Settings]) -> None:
        """Walk once for all settings that differ in nothing but weights, depths, blurs and boxes."""
        groups: dict[tuple[Any, ...], list[Settings]] = {}
        for arm in arms:
            groups.setdefault(arm.config.walk, []).append(arm)
        for group in groups.values():
            reads = {self._plan.cut(arm.config.depth).operation for arm in group}
            (self._walk_densely if group[0].config.dense else self._walk_tracks)(group, reads)

    def _walk_densely(self, arms: Sequence[Settings], reads: set[Operation]) -> None:
        """One walk for the whole batch: weights play no part."""
        config = arms[0].config
        walk = DenseWalk(self._plan, self._activations, self._explained, self._probabilities, config)
        for operation, maps in walk.run(reads).items():
            for number, shares in enumerate(maps.flatten(1).double().cpu().numpy()):
                index = np.flatnonzero(shares != 0).astype(np.int32)  # six times as fast as without the comparison
                self._cells[number][config.walk, arms[0].track, operation] = index, _of_all(shares[index])

    def _walk_tracks(self, arms: Sequence[Settings], reads: set[Operation]) -> None:
        """One walk an image, with a track for each setting of the weights."""
        tracks = list(dict.fromkeys(arm.track for arm in arms))
        named = {layer for track in tracks for layer in track.layers}
        tables = {layer: as_table([track.at(layer) for track in tracks]) for layer in named}
        others = as_table([track.alpha for track in tracks])

        def alphas(layer: str) -> NDArray[np.float64]:
            return tables.get(layer, others)

        config = arms[0].config
        for number, (image, target) in enumerate(self._explained):
            walk = ImageWalk(self._plan, self._activations, image, target, self._probabilities[image], config, alphas)
            for operation, neurons in walk.run(len(tracks), reads).items():
                cells = walk.cells(operation, neurons)
                for track, shares in zip(tracks, cells.shares.T, strict=True):
                    own = shares > 0
                    self._cells[number][config.walk, track, operation] = cells.index[own], _of_all(shares[own])

    def trace(self, number: int, arm: Settings, mirror: "Walks | None") -> Trace:
        """The evidence for what is explained, by its number; the mean with the mirror image's where settings say so."""
        cut = self._plan.cut(arm.config.depth)
        key = (arm.config.walk, arm.track, cut.operation)
        kept = self._traces[number]
        if (key, arm.config.flip) not in kept:
            cells = self._cells[number][key]
            if arm.config.flip:
                assert mirror is not None
                cells = _mean_with_mirrored(cells, mirror._cells[number][key], cut.operation.shape[2])
            kept[key, arm.config.flip] = self._of(cells, number, cut)
        return kept[key, arm.config.flip]

    def _of(self, cells: _Cells, number: int, cut: Cut) -> Trace:
        image, target = self._explained[number]
        index, shares = cells
        rows, columns = cut.operation.shape[1:]
        height, width = self._plan.network.image.shape[1:]
        probabilities = self._probabilities[image]
        predicted = int(probabilities.argmax())
        return Trace(
            np.stack(np.divmod(index, columns), axis=1).astype(np.int64),
            shares,
            (rows, columns),
            target,
            float(probabilities[target]),
            cut.name,
            (height, width),
            (predicted, float(probabilities[predicted])),
        )


def _of_all(shares: Shares) -> Shares:
    """Parts of what reached a map: less than the class's whole share, where neurons had none to choose."""
    return shares / shares.sum() if shares.size else shares


def _mean_with_mirrored(cells: _Cells, mirrored: _Cells, columns: int) -> _Cells:
    """The mean of a map's cells and those of the mirror image's map, which is mirrored back."""
    row, column = np.divmod(mirrored[0], columns)
    index = np.concatenate([cells[0], row * columns + columns - 1 - column])
    distinct, places = np.unique(index, return_inverse=True)
    total = np.bincount(places, np.concatenate([cells[1], mirrored[1]])).astype(np.float64)
    return distinct, _of_all(total)
