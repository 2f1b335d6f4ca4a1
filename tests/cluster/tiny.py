"""A network of a user's own, as one would send it along with a job. Its parameters are the same wherever it is made."""

import time

import torch
from PIL import Image
from torch import nn

from tracer import Preprocessing

SIZE = (64, 64, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))


class Unhurried(Preprocessing):
    """Takes its time over each image, so that a job of many can be disturbed however fast the machine is."""

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """The network's input, as ever."""
        time.sleep(0.25)
        return super().__call__(image)


def make() -> nn.Module:
    """Scores of four classes for images of 64 x 64 pixels."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 4),
        )
    network.preprocessing = Preprocessing(*SIZE)
    return network


def make_unhurried() -> nn.Module:
    """The same network, which takes its time."""
    network = make()
    network.preprocessing = Unhurried(*SIZE)
    return network
