"""CNN-Fixations as its authors ran it (Mopuri et al. 2018), to hold the tracer against the boxes they published.

Their pipeline for GoogLeNet: the image with its shorter side scaled to 256, five crops of 224 (the corners, then the
centre), the class of the mean over the crops and their mirrors, every crop that predicts it traced (the centre one if
none does), the points brought back to the original image, outliers removed, the tightest box around the rest.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from experiments.errors import SettingError
from experiments.methods import Method, Subject, Variants
from experiments.records import Found
from experiments.result import Measured, Result
from tracer import Alpha, Model, TraceConfig, Tracer
from tracer.files import open_regular
from tracer.points import enclosing_box
from tuner.datasets import LabelledImage
from tuner.datasets.boxes import from_inclusive, iou

SIDE = 256
"""What the shorter side of the image is scaled to."""
CROP = 224
"""Rows and columns of a crop."""
EVIDENCE = Alpha(cur=1, suc=0, pre=0)
"""CNN-Fixations looks at a neuron's own evidence only."""


class Fixations:
    """The published pipeline around a tracer set as CNN-Fixations.

    Args:
        model: A network that takes crops of 224 x 224.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._tracer = Tracer(model, TraceConfig.cnn_fixations())

    def points(self, image: Image.Image) -> NDArray[np.int64]:
        """The fixations on an image: rows and columns of its pixels, shape (n, 2); crops may repeat a pixel."""
        crops, offsets, factor = self._crops(image)
        with torch.no_grad():
            probabilities = self._model.scores(torch.cat([crops, crops.flip(3)])).softmax(1)
        target = int(probabilities.mean(0).argmax())
        chosen = [place for place in range(5) if int(probabilities[place].argmax()) == target] or [4]
        traced = self._tracer.trace(crops[chosen], [EVIDENCE], [target] * len(chosen))
        found = [(points.numpy() + offsets[place]) / factor for place, (points,) in zip(chosen, traced, strict=True)]
        return np.concatenate(found).astype(np.int64)

    def box(self, image: Image.Image) -> NDArray[np.float64]:
        """The half-open box around the fixations that are no outliers, pixels of the image."""
        width, height = image.size
        return enclosing_box(self.points(image), (height, width), (width, height))

    def _crops(self, image: Image.Image) -> tuple[Tensor, NDArray[np.int64], float]:
        """Five crops, shape (5, 3, 224, 224), where each begins (row, column), and the scale."""
        width, height = image.size
        factor = SIDE / min(width, height)
        rows, columns = int(height * factor), int(width * factor)
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255
        scaled = interpolate(pixels[None], (rows, columns), mode="bilinear", align_corners=False)
        mean, std = (
            torch.tensor(v).reshape(3, 1, 1) for v in (self._model.preprocessing.mean, self._model.preprocessing.std)
        )
        scaled = (scaled - mean) / std
        down, right = rows - CROP, columns - CROP
        offsets = np.array([(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)])
        crops = torch.cat([scaled[:, :, top : top + CROP, left : left + CROP] for top, left in offsets])
        return crops.to(self._model.device), offsets, factor


def read_boxes(path: Path) -> dict[str, NDArray[np.float64]]:
    """The published boxes by image id, half-open: ``image,x0,y0,x1,y1`` with the last pixel included.

    Raises:
        SettingError: If the file is missing or has other columns.
    """
    try:
        with io.TextIOWrapper(open_regular(path), encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            return {
                row["image"]: from_inclusive([float(row[corner]) for corner in ("x0", "y0", "x1", "y1")])
                for row in rows
            }
    except OSError as error:
        raise SettingError(f"{path}: {error.strerror}; name the file of published boxes (--boxes)") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SettingError(f"{path}: write the columns image,x0,y0,x1,y1, numbers in the last four") from error


@dataclass(frozen=True, eq=False)
class CnnFixations:
    """Our boxes beside the published ones.

    Args:
        published: The published boxes by image id.
    """

    published: Mapping[str, NDArray[np.float64]]

    name: ClassVar = "cnn-fixations"
    variants: ClassVar = False

    @property
    def settings(self) -> dict[str, object]:
        """What decides the records."""
        return {"published": {image: box.tolist() for image, box in self.published.items()}}

    def look(self, subject: Subject, images: Sequence[LabelledImage]) -> tuple[Fixations, Sequence[LabelledImage]]:
        """The pipeline and the images.

        Raises:
            SettingError: If one has no published box.
        """
        for image in images:
            if image.id not in self.published:
                raise SettingError(f"image {image.id} has no published box: leave it out, or name their file (--boxes)")
        return _pipeline(subject), images

    def record(
        self, scene: tuple[Fixations, Sequence[LabelledImage]], _: Method, __: Variants
    ) -> list[dict[str, ArrayLike]]:
        """IOU of our box with theirs, and of each with the best-overlapping instance."""
        fixations, images = scene
        records: list[dict[str, ArrayLike]] = []
        for image in images:
            ours, theirs = fixations.box(image.open()), self.published[image.id]
            overlaps = iou(ours, theirs[None]), iou(ours, image.boxes), iou(theirs, image.boxes)
            records.append(dict(zip(("agreement", "ours", "theirs"), overlaps, strict=True)))
        return records

    def result(self, found: Found, seed: int) -> Result:  # noqa: ARG002 - as every experiment's
        """The figures over all images, and those of each."""
        (method,) = found.records
        agreement, ours, theirs = (found.values(method, name) for name in ("agreement", "ours", "theirs"))
        success, error = rate(ours >= 0.5)
        figures = {
            "images": len(ours),
            "mean_iou": float(agreement.mean()),
            "same_90": rate(agreement >= 0.9)[0],
            "success": success,
            "success_se": error,
            "authors_success": rate(theirs >= 0.5)[0],
        }
        each = [
            {"image": image.id} | {name: float(record[name]) for name in ("agreement", "ours", "theirs")}
            for image, record in zip(found.images, found.records[method], strict=True)
        ]
        return Result(
            "Is the tracer, set as CNN-Fixations, what its authors ran?",
            f"Our boxes overlap the published ones by a mean IOU of {figures['mean_iou']:.3f} on {len(ours)} images.",
            (
                Measured(
                    "Beside the boxes that CNN-Fixations' authors published",
                    [figures],
                    columns={
                        "images": "how many",
                        "mean_iou": "mean IOU with the authors' boxes, 0 to 1",
                        "same_90": "share of images whose box agrees with theirs by an IOU of at least 0.9 (percent)",
                        "success": "share of images with IOU ≥ 0.5 against ground truth (percent)",
                        "success_se": "its standard error (percent)",
                        "authors_success": "the same share of the authors' boxes on these images (percent)",
                    },
                ),
                Measured(
                    "Images",
                    each,
                    columns={
                        "image": "the image's id",
                        "agreement": "IOU of our box with the authors'",
                        "ours": "IOU of our box with the best-overlapping instance",
                        "theirs": "IOU of the authors' box with it",
                    },
                ),
            ),
        )


@lru_cache(maxsize=1)
def _pipeline(subject: Subject) -> Fixations:
    return Fixations(subject.model)


def rate(hits: NDArray[np.bool_]) -> tuple[float, float]:
    """The share of hits and its standard error sqrt(p (1 - p) / n), both in percent."""
    share = float(hits.mean())
    return 100 * share, 100 * float(np.sqrt(share * (1 - share) / len(hits)))
