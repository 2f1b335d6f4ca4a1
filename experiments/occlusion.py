"""What a network is shown of an image: a part of it, the rest painted over; more and more of it, or less and less."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from experiments.evaluation import probabilities
from experiments.maps import Map
from experiments.methods import Subject
from tuner.rewards.masks import box_mask

KERNEL, DEVIATION = 11, 5.0
"""The blur of Petsiuk et al. 2018: a kernel of 11 x 11 pixels of the network's input, σ = 5."""
TOGETHER = 32
"""Changed images in one forward pass."""


def _blurred(inputs: Tensor, _: Subject) -> Tensor:
    blurred: Tensor = gaussian_blur(inputs, [KERNEL, KERNEL], [DEVIATION, DEVIATION])
    return blurred


def _mean(inputs: Tensor, _: Subject) -> Tensor:
    return torch.zeros_like(inputs)


def _black(inputs: Tensor, subject: Subject) -> Tensor:
    shown = subject.model.preprocessing
    black = -torch.tensor(shown.mean) / torch.tensor(shown.std)
    return black.to(inputs)[:, None, None].expand_as(inputs).clone()


FILLS: dict[str, Callable[[Tensor, Subject], Tensor]] = {"mean": _mean, "blurred": _blurred, "black": _black}
"""What takes the place of what is hidden, of a network's input (3, h, w): the mean colour, the image blurred, black."""


def keep_box(box: NDArray[np.float64], size: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """The pixels of the network's input that a box in the original image holds, bool of shape (h, w).

    Args:
        box: Half-open x0, y0, x1, y1.
        size: Width and height of the original image.
        shape: (h, w) of the network's input.
    """
    return torch.from_numpy(box_mask(box, size, shape))


def grow_box(box: NDArray[np.float64], area: float, size: tuple[int, int]) -> NDArray[np.float64]:
    """A box grown or shrunk about its middle until it holds a share of the image, pushed inwards at the borders.

    Its sides keep their ratio until one is as long as the image's; then the other grows alone. An empty box grows from
    the middle of the image with the image's own ratio.

    Args:
        box: Half-open x0, y0, x1, y1.
        area: The share of the image to hold, above 0, at most 1.
        size: Width and height of the image.
    """
    extent = np.array(size, dtype=np.float64)
    sides, middle = box[2:] - box[:2], (box[:2] + box[2:]) / 2
    if not (sides > 0).all():
        sides, middle = extent, extent / 2
    sides = sides * np.sqrt(area * extent.prod() / sides.prod())
    for side in (0, 1):
        if sides[side] > extent[side]:
            sides[side], sides[1 - side] = extent[side], area * extent[1 - side]
    start = np.clip(middle - sides / 2, 0, extent - sides)
    return np.concatenate([start, start + sides])


def keep_highest(heat: Map, area: float) -> Tensor:
    """The pixels where a map is highest, so many that they hold a share of the image, bool of the map's shape."""
    kept = torch.zeros(heat.size, dtype=torch.bool)
    kept[torch.from_numpy(ranked(heat)[: round(area * heat.size)])] = True
    return kept.reshape(heat.shape)


def ranked(heat: Map) -> NDArray[np.int64]:
    """The places of a map from its highest to its lowest value, equal ones in row-major order."""
    return np.argsort(-heat.reshape(-1), kind="stable")


def probabilities_of(subject: Subject, pictures: Iterator[Tensor], target: int) -> NDArray[np.float64]:
    """The probability of a class on each of many inputs (3, h, w), which are made when they are needed."""
    found: list[Tensor] = []
    together: list[Tensor] = []
    for picture in pictures:
        together.append(picture)
        if len(together) == TOGETHER:
            found.append(probabilities(subject, torch.stack(together))[:, target])
            together = []
    if together:
        found.append(probabilities(subject, torch.stack(together))[:, target])
    return torch.cat(found).double().cpu().numpy()


def curve(subject: Subject, before: Tensor, after: Tensor, heat: Map, step: int, target: int) -> NDArray[np.float64]:
    """A class's probability while the pixels of one image take the place of another's, the map's highest first.

    Args:
        subject: The network.
        before: The image at the start, shape (3, h, w).
        after: The image at the end.
        heat: The map, of shape (h, w).
        step: Pixels changed at a time.
        target: The class.

    Returns:
        Probabilities before the first step and after each, shape (steps + 1,).
    """
    order = torch.from_numpy(ranked(heat)).to(before.device)

    def pictures() -> Iterator[Tensor]:
        picture, end = before.clone().reshape(3, -1), after.reshape(3, -1)
        yield before
        for start in range(0, len(order), step):
            places = order[start : start + step]
            picture[:, places] = end[:, places]
            yield picture.reshape(before.shape).clone()

    return probabilities_of(subject, pictures(), target)


def area_under(probabilities: NDArray[np.float64]) -> float:
    """The area under a curve whose first point lies at 0 and whose last at 1, by the trapezoid rule."""
    return float(np.trapezoid(probabilities, dx=1 / (len(probabilities) - 1)))
