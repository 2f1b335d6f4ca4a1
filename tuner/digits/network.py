"""The network that reads digits: small, with a convolution, batch norm, max and average pooling and residual adds."""

from torch import Tensor, nn

from tracer import Preprocessing
from tuner.digits.canvas import SIDE


class Residual(nn.Module):
    """Two 3 x 3 convolutions around which their input is carried and added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape, (b, channels, h, w)."""
        activated: Tensor = self.relu(maps + self.second(self.first(maps)))
        return activated


class DigitsCNN(nn.Module):
    """Scores of the ten digits, (b, 10), for canvases (b, 3, 64, 64) normalised by ``preprocessing``."""

    preprocessing = Preprocessing(SIDE, SIDE, (0.3, 0.3, 0.3), (0.2, 0.2, 0.2))
    categories = tuple(str(digit) for digit in range(10))

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _convolution(3, 16, stride=2),
            _convolution(16, 24),
            nn.MaxPool2d(2),
            Residual(24),
            _convolution(24, 48),
            nn.MaxPool2d(2),
            Residual(48),
        )
        self.pool = nn.MaxPool2d(8)
        self.classify = nn.Linear(48, 10)

    def forward(self, canvases: Tensor) -> Tensor:
        """Scores before softmax, (b, 10)."""
        scores: Tensor = self.classify(self.pool(self.features(canvases)).flatten(1))
        return scores


def _convolution(channels: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )
