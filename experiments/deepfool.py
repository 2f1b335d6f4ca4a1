"""What becomes of maps when an image is changed until the network errs (Section 4.3, Figure 5).

DeepFool (Moosavi-Dezfooli et al. 2016) finds a change r of an image x, too small to be seen, that moves it to another
class. A map should follow the network: the new class's evidence may lie elsewhere, the old one's object is still there.
Whether a map changed *because* the network was fooled only shows beside a control: random noise of the same norm, which
moves maps too and fools nobody.
"""

import os
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr
from torch import Tensor

from experiments.cache import Record
from experiments.compare import Comparison, Key, Measure, only, verdict
from experiments.drawn import map_boxes
from experiments.errors import MethodError
from experiments.evaluation import labels, predict, probabilities, read
from experiments.maps import Map
from experiments.methods import Method, Subject, Variants
from experiments.pictures import Panel, coarse, grid, pixels_of, share_of, signed
from experiments.records import Found
from experiments.result import Measured, Picture, Result
from tuner.datasets import LabelledImage
from tuner.datasets.boxes import iou

STEPS, CANDIDATES, OVERSHOOT = 50, 10, 0.02
"""DeepFool as its authors run it: at most 50 steps, the ten most probable classes, 2% beyond the border."""
TOP = 0.1
"""The share of a map's highest pixels whose overlap is measured."""
CLASSES = ("old", "new")
"""The class predicted before the change, and after it."""
CHANGES = ("attack", "noise")
"""What is done to an image: DeepFool's r, or noise as large."""

MEASURES = (
    Measure("rank_correlation", "Spearman's correlation of the map before and after the change, −1 to 1", scale=1),
    Measure("top_tenth", "share of the highest tenth of the map's pixels that stays among the highest tenth"),
    Measure("box_iou", "IOU of the map's boxes before and after the change, 0 to 1", scale=1),
    Measure(
        "share_before", "share of the map that lies in the object's boxes, before the change", better=0, compared=False
    ),
    Measure("share_after", "the same after the change", better=0),
)
_RANK = MEASURES[0].name
EXCESS = Measure("beyond_noise", "rank correlation through the attack less that through noise, −2 to 2", scale=1)


@dataclass(frozen=True, eq=False)
class Attacked:
    """Images with what DeepFool made of them; those that the network got wrong, or that it could not fool, too.

    Args:
        subject: The network.
        images: The images.
        right: Whether the network was right before, bool of shape (b,).
        fooled: Whether it was right before and is not after, bool of shape (b,).
        old: The class predicted before, int64 of shape (b,).
        new: The class predicted after.
        survives: Whether it is still fooled when the changed image is rounded to 8 bits.
        changed: The network's inputs: as they are (``""``), attacked, and with noise, each of shape (b, 3, h, w).
        ratio: ‖r‖ / ‖x‖ on the pixels' scale from 0 to 1, shape (b,).
        noise_fools: Whether the noise changes the class predicted.
    """

    subject: Subject
    images: Sequence[LabelledImage]
    right: Tensor
    fooled: Tensor
    old: Tensor
    new: Tensor
    survives: Tensor
    changed: Mapping[str, Tensor]
    ratio: Tensor
    noise_fools: Tensor


@dataclass(frozen=True)
class DeepFool:
    """Maps before and after an attack, and before and after noise of the same norm.

    Args:
        threshold: The share of its maximum at which a map is cut for its box.
    """

    threshold: float = 0.2

    name: ClassVar = "deepfool"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {
            "threshold": self.threshold,
            "steps": STEPS,
            "candidates": CANDIDATES,
            "overshoot": OVERSHOOT,
            "top": TOP,
        }

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Attacked:
        """The images, attacked."""
        before = predict(subject, images, "predicted")
        right = before.predicted == labels(images).to(before.inputs.device)
        mean, std = (
            torch.tensor(values).reshape(3, 1, 1).to(before.inputs)
            for values in (subject.model.preprocessing.mean, subject.model.preprocessing.std)
        )
        pixels = (before.inputs * std + mean).clamp(0, 1)
        attacked = pixels.clone()
        if right.any():
            attacked[right] = _attack(subject, pixels[right], before.predicted[right])
        change = (attacked - pixels).flatten(1).norm(dim=1)
        noisy = torch.stack([_noisy(*each) for each in zip(pixels, change, images, strict=True)])
        new, rounded, with_noise = (
            probabilities(subject, (each - mean) / std).argmax(1) for each in (attacked, _rounded(attacked), noisy)
        )
        fooled = right & (new != before.predicted)
        return Attacked(
            subject,
            images,
            right,
            fooled,
            before.predicted,
            new,
            fooled & (rounded != before.predicted),
            {"": before.inputs, "attack": (attacked - mean) / std, "noise": (noisy - mean) / std},
            change / pixels.flatten(1).norm(dim=1),
            right & (with_noise != before.predicted),
        )

    def record(self, scene: Attacked, method: Method, attribute: Variants) -> list[dict[str, ArrayLike]]:
        """How the maps of both classes change, of each image that was fooled."""
        fooled = scene.fooled.nonzero()[:, 0].tolist()
        maps = iter(self._maps(scene, fooled, method, attribute))
        records: list[dict[str, ArrayLike]] = []
        for place, image in enumerate(scene.images):
            record: dict[str, ArrayLike] = {
                "right": bool(scene.right[place]),
                "fooled": bool(scene.fooled[place]),
                "survives": bool(scene.survives[place]),
                "ratio": float(scene.ratio[place]),
                "noise_fools": bool(scene.noise_fools[place]),
            }
            if place in fooled:
                record |= self._compared(next(maps), image)
                record["r"] = signed(scene.changed["attack"][place] - scene.changed[""][place])
                record["classes"] = [scene.subject.model.class_name(int(of[place])) for of in (scene.old, scene.new)]
            records.append(record)
        return records

    def _maps(
        self, scene: Attacked, fooled: Sequence[int], method: Method, attribute: Variants
    ) -> Iterator[dict[tuple[str, str], Map]]:
        """The maps of each fooled image by class and change, all of one image made together."""
        wanted = [(of, change) for of in CLASSES for change in scene.changed]
        for place in fooled:
            batch = torch.stack([scene.changed[change][place] for _, change in wanted])
            targets = torch.stack([(scene.old if of == "old" else scene.new)[place] for of, _ in wanted])
            (values,) = attribute(batch, targets).values()
            yield {key: read(method, found, scene.images[place]) for key, found in zip(wanted, values, strict=True)}

    def _compared(self, maps: Mapping[tuple[str, str], Map], image: LabelledImage) -> dict[str, ArrayLike]:
        boxes = {key: map_boxes([heat], [self.threshold], [image])[0][0] for key, heat in maps.items()}
        inside = _inside(image, next(iter(maps.values())).shape)
        record: dict[str, ArrayLike] = {}
        for of in CLASSES:
            before = maps[of, ""]
            record[f"{of} map"], record[f"{of} box"] = coarse(before), share_of(boxes[of, ""], image)
            for change in CHANGES:
                after = maps[of, change]
                record[f"{of} {change} map"] = coarse(after)
                record[f"{of} {change} box"] = share_of(boxes[of, change], image)
                record[f"{of} {change}"] = [
                    _correlation(before, after),
                    _overlap(before, after),
                    iou(boxes[of, ""], boxes[of, change][None]) if boxes[of, change].any() else 0.0,
                    _held(before, inside),
                    _held(after, inside),
                ]
        return record

    def result(self, found: Found, seed: int, pictures: int = 4) -> Result:
        """How often the network is fooled, how maps change, and by how much more than under noise.

        Args:
            found: The records.
            seed: Of the bootstrap.
            pictures: How many of the fooled images are drawn.
        """
        first = next(iter(found.records))
        values = dict(_values(found))
        table = Comparison(
            "Maps before and after the change, of the images that were fooled",
            {
                "method": "the attribution method",
                "class": "whose evidence the map shows: the class predicted before the attack, or after it",
                "change": "what was done to the image: DeepFool's change, or random noise of the same norm",
            },
            MEASURES,
            values,
            found.sample,
            first,
            seed,
        ).table()
        control = Comparison(
            "Beyond what noise of the same norm does",
            {"method": "the attribution method", "class": "whose evidence the map shows"},
            [EXCESS],
            {
                (method, of): {EXCESS.name: values[method, of, "attack"][_RANK] - values[method, of, "noise"][_RANK]}
                for method in found.records
                for of in CLASSES
            },
            found.sample,
            first,
            seed,
            ("Below 0 the attack moved the map more than noise did; near 0 it did nothing to it that noise does not.",),
        ).table()
        fooling = _fooling(found)
        if not any(record["fooled"] for record in found.records[first]):
            return Result("Do maps survive an attack?", "No image was fooled, so no map can be compared.", (fooling,))
        attacked = only(table, **{"class": "old", "change": "attack"})
        sentence = verdict(attacked, MEASURES[0], "keeps the old class's map best through the attack")
        return Result(
            "Do maps survive an attack?", sentence, (fooling, table, control), tuple(_pictures(found, first, pictures))
        )


def _attack(subject: Subject, pixels: Tensor, predicted: Tensor) -> Tensor:
    """DeepFool's images, by foolbox; pixels from 0 to 1.

    Raises:
        MethodError: If foolbox is not installed.
    """
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # foolbox asks for a git that it never uses
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Please import `gaussian_filter`", DeprecationWarning)
            from foolbox.attacks.deepfool import L2DeepFoolAttack
            from foolbox.models.pytorch import PyTorchModel
    except ImportError as error:
        raise MethodError(f"DeepFool needs foolbox ({error}): install bandit-tracer[experiments]") from error
    shown = subject.model.preprocessing
    network = PyTorchModel(
        deepcopy(subject.module).requires_grad_(False),
        bounds=(0, 1),
        device=pixels.device,
        preprocessing={"mean": list(shown.mean), "std": list(shown.std), "axis": -3},
    )
    attack = L2DeepFoolAttack(steps=STEPS, candidates=CANDIDATES, overshoot=OVERSHOOT)
    found: Tensor = attack(network, pixels, predicted, epsilons=None)[1]
    return found.detach()


def _noisy(pixels: Tensor, norm: Tensor, image: LabelledImage) -> Tensor:
    """An image with random noise of a norm; always the same. Clipping to 0 and 1 is made up for by a larger noise."""
    random = torch.Generator().manual_seed(zlib.crc32(image.id.encode()))
    noise = torch.randn(pixels.shape, generator=random).to(pixels)
    noisy, scale = pixels, norm / noise.norm()
    for _ in range(20):
        noisy = (pixels + scale * noise).clamp(0, 1)
        scale = scale * norm / (noisy - pixels).norm().clamp(min=1e-12)
    return noisy


def _rounded(pixels: Tensor) -> Tensor:
    return (pixels * 255).round() / 255


def _inside(image: LabelledImage, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """By how much each pixel of a map lies in the boxes of the objects, 0 to 1, of the map's shape."""
    rows, columns = ((np.arange(extent) + 0.5) / extent for extent in shape)
    inside = np.zeros(shape)
    for x0, y0, x1, y1 in image.boxes / np.array([image.width, image.height] * 2):
        inside[np.ix_((y0 <= rows) & (rows < y1), (x0 <= columns) & (columns < x1))] = 1
    return inside


def _held(heat: Map, inside: NDArray[np.float64]) -> float:
    """The share of a map that lies inside; NaN for a map of zeros."""
    return float((heat * inside).sum() / heat.sum()) if heat.any() else float("nan")


def _correlation(before: Map, after: Map) -> float:
    """Spearman's rank correlation over a quarter of the rows and columns; NaN where a map is the same everywhere."""
    first, second = before[::4, ::4].reshape(-1), after[::4, ::4].reshape(-1)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)


def _overlap(before: Map, after: Map) -> float:
    """The share of the highest tenth of pixels that two maps have in common."""
    count = round(TOP * before.size)
    highest = [set(np.argsort(-heat.reshape(-1), kind="stable")[:count].tolist()) for heat in (before, after)]
    return len(highest[0] & highest[1]) / count


def _values(found: Found) -> Iterator[tuple[Key, dict[str, NDArray[np.float64]]]]:
    """Rows of the table; an image that was not fooled has no values."""
    for method, records in found.records.items():
        for of in CLASSES:
            for change in CHANGES:
                nothing = np.full(len(MEASURES), np.nan)
                figures = np.array([record.get(f"{of} {change}", nothing) for record in records])
                yield (method, of, change), {each.name: figures[:, place] for place, each in enumerate(MEASURES)}


def _fooling(found: Found) -> Measured:
    """How often the attack succeeds, and how small it is. The same for every method."""
    records = next(iter(found.records.values()))
    right = [record for record in records if record["right"]]
    rows = []
    for name, group in (("fooled", True), ("not fooled", False)):
        some: list[Record] = [record for record in right if bool(record["fooled"]) is group]
        rows.append(
            {
                "images right before": name,
                "images": len(some),
                "median_ratio": 100 * float(np.median([record["ratio"] for record in some])) if some else float("nan"),
                "survives_8_bits": _percent(some, "survives"),
                "noise_fools": _percent(some, "noise_fools"),
            }
        )
    return Measured(
        "DeepFool on the images that the network gets right",
        rows,
        (f"{len(records) - len(right)} of {len(records)} images the network got wrong before; they were left alone.",),
        columns={
            "images right before": "whether the attack changed the class predicted",
            "images": "how many",
            "median_ratio": "median of ‖r‖ / ‖x‖, the size of the change beside that of the image (percent)",
            "survives_8_bits": "share still fooled when the changed image is rounded to 8 bits, as in a file (percent)",
            "noise_fools": "share whose class random noise of the same norm changes (percent)",
        },
    )


def _percent(records: Sequence[Record], name: str) -> float:
    return 100 * float(np.mean([record[name] for record in records])) if records else float("nan")


def _pictures(found: Found, method: str, count: int) -> Iterator[Picture]:
    """Figure 5: the maps of both classes, before and after, and after noise."""
    rows: list[list[Panel]] = []
    for image, record in zip(found.images, found.records[method], strict=True):
        if not record["fooled"] or len(rows) == count:
            continue
        pixels, truth = pixels_of(image), share_of(image.boxes, image)
        old, new = map(str, record["classes"])
        row = [
            Panel(pixels, truth=truth, caption=old),
            Panel(record["r"], caption=f"‖r‖ / ‖x‖ = {100 * float(record['ratio']):.2g}%"),
        ]
        for of, change, what in (
            ("old", "", old),
            ("old", "attack ", old),
            ("old", "noise ", old),
            ("new", "", new),
            ("new", "attack ", new),
        ):
            heat, box = record[f"{of} {change}map"] / 255, record[f"{of} {change}box"]
            row.append(Panel(pixels, heat, box, caption=what))
        rows.append(row)
    classes = ("old class, before", "old class, after", "old class, noise", "new class, before", "new class, after")
    titles = ("image", "r, made visible", *classes)
    yield Picture(
        f"{method} through an attack",
        "Green: the object. Yellow: the box of the map. After: with DeepFool's change r, which cannot be seen; "
        "noise: with random noise of the same norm.",
        grid(rows, titles),
    )
