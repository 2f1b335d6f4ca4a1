"""Where networks looked when they were wrong (Section 4.4, Figure 6)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import inputs
from experiments.compare import Comparison, Key, Measure
from experiments.errors import SettingError
from experiments.evaluation import Predicted, labels, predict
from experiments.maps import holds, peak
from experiments.methods import Method, Subject, Variants, find_method
from experiments.pictures import Panel, coarse, grid, pixels_of, share_of
from experiments.records import Found
from experiments.result import Measured, Picture, Result
from experiments.run import Options, choose, gather, shown
from experiments.seen import learned_on
from tracer.reading import Trace, read_boxes
from tuner.datasets import LabelledImage
from tuner.datasets.boxes import iou

OUTSIDE = Measure(
    "outside",
    "share of images where the evidence of the class predicted is strongest outside every object",
    counts=True,
    better=-1,
    compared=False,
)
MEASURES = (
    OUTSIDE,
    Measure(
        "success",
        "share whose predicted class's box has an IOU of at least 0.5 with an object",
        counts=True,
        compared=False,
    ),
    Measure("mean_iou", "mean of that IOU, 0 to 1", scale=1, compared=False),
    Measure("label_mean_iou", "mean IOU of the true class's box, 0 to 1", scale=1, compared=False),
    Measure(
        "same_place",
        "mean IOU of the two classes' boxes, 0 to 1: near 1, the object was seen but named wrongly; near 0, it "
        "was looked for elsewhere",
        scale=1,
        compared=False,
    ),
)


@dataclass(frozen=True)
class Misclassified:
    """The tracer's evidence for the class predicted and for the true one, of every image."""

    name: ClassVar = "misclassified"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records: nothing beside the tracer's settings."""
        return {}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> Predicted:
        """The images, classified; the label is the target.

        Raises:
            SettingError: If one has no label.
        """
        labels(images)
        return predict(subject, images, "label")

    def record(self, scene: Predicted, _: Method, __: Variants) -> list[dict[str, ArrayLike]]:
        """What :data:`MEASURES` say of each image, the boxes and the map."""
        tracer, name = scene.subject.tracer, scene.subject.model.class_name
        predicted, label = (
            [found[0] for found in tracer.traces(scene.inputs, [tracer.settings], classes.tolist())]
            for classes in (scene.predicted, scene.targets)
        )
        records: list[dict[str, ArrayLike]] = []
        for image, seen, true in zip(scene.images, predicted, label, strict=True):
            size = (image.width, image.height)
            one, other = read_boxes([seen, true], [tracer.settings.config] * 2, size)
            heat = _heat(scene.subject, seen, size)
            records.append(
                {
                    "right": seen.target == true.target,
                    "label": name(true.target),
                    "predicted": name(seen.target),
                    "probability": seen.probability,
                    "label_probability": true.probability,
                    "outside": not holds(image.boxes, *peak(heat, *size)),
                    "success": iou(one, image.boxes) >= 0.5,
                    "mean_iou": iou(one, image.boxes),
                    "label_mean_iou": iou(other, image.boxes),
                    "same_place": iou(one, other[None]) if other.any() else 0.0,
                    "box": one,
                    "map": coarse(heat),
                }
            )
        return records


def run(options: Options, second: Options | None = None, *, per_image: bool = False) -> Result:
    """Where one network looked when it was wrong, or two on the images that just one gets right.

    Args:
        options: The network, how it is traced, and the images.
        second: ``arch``, ``checkpoint`` and ``weights`` of a second network.
        per_image: Give a row an image.

    Raises:
        SeenError: If a network's settings were learned on some of the images.
        ExperimentError, TracerError, DatasetError: If an option or its data is bad.
    """
    method = find_method("tracer")
    images = inputs.dataset(options, labelled=True)
    asked = [options, *([{**options, **second}] if second else [])]
    subjects = {each["arch"]: inputs.subject(each) for each in asked}
    if len(subjects) < len(asked):
        raise SettingError(f"--beside: {options['arch']} is the same network: name another")
    learned = {name: learned_on([method], subject).get(method.name, frozenset()) for name, subject in subjects.items()}
    sample, seen = choose(images, learned, options)
    found = {
        name: gather(Misclassified(), [method], sample, subject, each)
        for each, (name, subject) in zip(asked, subjects.items(), strict=True)
    }
    if second:
        return shown(two_networks(found), seen, options)
    ((name, records),) = found.items()
    result = one_network(records, name)
    return shown(replace(result, tables=(_per_image(records),)) if per_image else result, seen, options)


def one_network(found: Found, network: str) -> Result:
    """Where one network looked when it was right, and when it was wrong."""
    table = _table({network: found})
    return Result("Where did the network look when it was wrong?", _sentence(table, network, "wrong"), (table,))


def two_networks(both: Mapping[str, Found], pictures: int = 6) -> Result:
    """Where two networks looked on the images that just one of them got right.

    Args:
        both: Each network's records of the same images, by its name.
        pictures: How many of those images are drawn.
    """
    table = _table(both)
    apart = _apart(both)
    sentences = [_sentence(apart, name, "wrong where the other is right") for name in both]
    return Result(
        "Where did the network that was wrong look?",
        " ".join(sentences),
        (apart, table),
        tuple(_pictures(both, pictures)),
    )


def _per_image(found: Found) -> Measured:
    """A row an image, with its classes."""
    (records,) = found.records.values()
    names = (
        "right",
        "label",
        "predicted",
        "probability",
        "label_probability",
        "outside",
        "mean_iou",
        "label_mean_iou",
        "same_place",
    )
    rows = [
        {"image": image.id} | {name: record[name].item() for name in names}
        for image, record in zip(found.images, records, strict=True)
    ]
    return Measured(
        "Images", rows, columns={"image": "the image's id"} | {each.name: each.meaning for each in MEASURES}
    )


def _heat(subject: Subject, trace: Trace, size: tuple[int, int]) -> NDArray[np.float64]:
    return trace.saliency(subject.settings.config.spread, size)


def _table(networks: Mapping[str, Found]) -> Measured:
    """The figures of the right and of the wrong predictions of each network; a group without images is left out."""

    def rows() -> Iterator[tuple[Key, dict[str, NDArray[np.float64]]]]:
        for network, found in networks.items():
            for group in ("right", "wrong"):
                some = _right(found) == (group == "right")
                if some.any():
                    yield (network, group), _values(found, some)

    keys = {"network": "the network", "prediction": "whether the class predicted is the true one"}
    sample = next(iter(networks.values())).sample
    return Comparison("Where the network looked", keys, MEASURES, dict(rows()), sample, "", 0).table()


def _apart(networks: Mapping[str, Found]) -> Measured:
    """The figures of both networks on the images that just one of them got right."""
    (one, first), (other, second) = networks.items()
    apart = {one: _right(first) & ~_right(second), other: _right(second) & ~_right(first)}
    values: dict[Key, dict[str, NDArray[np.float64]]] = {}
    for name, found, rival in ((one, first, other), (other, second, one)):
        values[name, "right where the other is wrong"] = _values(found, apart[name])
        values[name, "wrong where the other is right"] = _values(found, apart[rival])
    keys = {"network": "the network", "prediction": "its prediction, and the other network's"}
    title = "Images that just one of the two networks gets right"
    return Comparison(title, keys, MEASURES, values, first.sample, "", 0).table()


def _right(found: Found) -> NDArray[np.bool_]:
    (method,) = found.records
    return found.values(method, "right").astype(bool)


def _values(found: Found, some: NDArray[np.bool_]) -> dict[str, NDArray[np.float64]]:
    (method,) = found.records
    return {each.name: np.where(some, found.values(method, each.name).astype(np.float64), np.nan) for each in MEASURES}


def _sentence(table: Measured, network: str, group: str) -> str:
    for row in table.rows:
        if (row["network"], row["prediction"]) == (network, group) and row["images"]:
            count = round(row["outside"] * row["images"] / 100)
            return f"{network} was {group} on {row['images']} images and looked outside the object on {count} of them."
    return f"{network} was {group} on no image."


def _pictures(networks: Mapping[str, Found], count: int) -> Iterator[Picture]:
    """Figure 6: the images that just one network gets right, both networks' maps side by side."""
    first = next(iter(networks.values()))
    right = [_right(found) for found in networks.values()]
    rows = []
    for place in np.flatnonzero(right[0] != right[1])[:count].tolist():
        image = first.images[place]
        pixels, truth = pixels_of(image), share_of(image.boxes, image)
        row: list[Panel] = []
        for number, found in enumerate(networks.values()):
            (records,) = found.records.values()
            record = records[place]
            if not row:
                row.append(Panel(pixels, truth=truth, caption=str(record["label"])))
            judged = "right" if right[number][place] else "wrong"
            told = f"{judged}: {record['predicted']} {100 * float(record['probability']):.0f}%"
            row.append(Panel(pixels, record["map"] / 255, share_of(record["box"], image), truth, told))
        rows.append(row)
    if rows:
        yield Picture(
            "Where two networks looked",
            "Green: the object. Yellow: the box of the evidence for the class predicted.",
            grid(rows, ["image", *networks]),
        )
