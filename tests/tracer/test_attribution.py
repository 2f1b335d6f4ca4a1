"""The tracer speaks Captum's interface; metrics of Captum and Quantus judge it as they judge Captum's methods."""

import warnings

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, LayerAttribution, LayerGradCam, Saliency
from captum.metrics import infidelity, sensitivity_max
from torch import Tensor, nn

from tracer import TraceConfig, TracerAttribution
from tracer.errors import TargetError

SIDE = 24


class Brightness(nn.Module):
    """Class 1 is scored by how bright the brightest places are, class 0 by a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(4, 2)
        nn.init.constant_(self.conv.weight, 0.1)
        nn.init.constant_(self.conv.bias, -1)
        with torch.no_grad():
            self.fc.weight.copy_(torch.tensor([[0.0] * 4, [5.0] * 4]))
            self.fc.bias.copy_(torch.tensor([1.0, 0.0]))

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(images)).mean((2, 3)))


@pytest.fixture
def network() -> nn.Module:
    return Brightness().eval()


@pytest.fixture
def images() -> Tensor:
    """Dim noise with a bright square, elsewhere in each of three images."""
    batch = 0.2 * torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    for image, (row, column) in zip(batch, ((2, 3), (10, 12), (15, 4)), strict=True):
        image[:, row : row + 6, column : column + 6] += 1
    return batch


@pytest.fixture
def masks(images: Tensor) -> np.ndarray:
    """Where the bright squares are, shape (3, 1, side, side)."""
    return (images.min(dim=1, keepdim=True).values >= 1).numpy()


CONFIG = TraceConfig.excitation_backprop(depth="image", spread=6)


def methods(network: nn.Module) -> dict[str, object]:
    """What each method attributes to the inputs, by the same call."""
    grad_cam = LayerGradCam(network, network.relu)

    def upsampled(inputs: Tensor | tuple[Tensor], target: Tensor | int) -> Tensor | tuple[Tensor]:
        maps = grad_cam.attribute(inputs, target=target, relu_attributions=True)
        found = LayerAttribution.interpolate(maps, (SIDE, SIDE)).repeat(1, 3, 1, 1)
        return (found,) if isinstance(inputs, tuple) else found

    return {
        "tracer": TracerAttribution(network, CONFIG).attribute,
        "Saliency": Saliency(network).attribute,
        "InputXGradient": InputXGradient(network).attribute,
        "Grad-CAM": upsampled,
    }


def test_attributions_have_the_inputs_shape_and_sum_to_one(network: nn.Module, images: Tensor) -> None:
    found = TracerAttribution(network, CONFIG).attribute(images, target=1)
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum(dim=(1, 2, 3)), torch.ones(3))
    assert torch.equal(found[:, 0], found[:, 2])


def test_targets_are_given_as_captum_takes_them(network: nn.Module, images: Tensor) -> None:
    attribute = TracerAttribution(network, CONFIG).attribute
    one = attribute(images, target=1)
    for target in ([1, 1, 1], torch.tensor([1, 1, 1]), torch.tensor(1), None):  # class 1 is the predicted one
        assert torch.equal(attribute(images, target=target), one)
    with pytest.raises(TargetError, match=r"target of shape \(3, 1\)"):
        attribute(images, target=torch.ones(3, 1, dtype=torch.long))


@pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients")
def test_captums_metrics_judge_it(network: nn.Module, images: Tensor) -> None:
    torch.manual_seed(0)
    found = {}
    for name, attribute in methods(network).items():
        given = attribute(images, target=1)

        def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
            noise = 0.05 * torch.randn_like(inputs)
            return noise, inputs - noise

        error = infidelity(network, perturb, images, given, target=1, n_perturb_samples=4)
        change = sensitivity_max(attribute, images, perturb_radius=0.02, n_perturb_samples=3, target=1)
        found[name] = (float(error.mean()), float(change.mean()))
    assert np.isfinite(list(found.values())).all()
    assert found["tracer"][1] < 0.5  # a little noise moves little of the evidence


@pytest.mark.filterwarnings("ignore")  # of libraries that Quantus imports
def test_quantus_judges_it_beside_captums_methods(network: nn.Module, images: Tensor, masks: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantus
    quiet = {"disable_warnings": True, "display_progressbar": False}
    metrics = {
        "pointing game": quantus.PointingGame(**quiet),
        "relevance rank": quantus.RelevanceRankAccuracy(**quiet),
        "sparseness": quantus.Sparseness(**quiet),
        "pixel flipping": quantus.PixelFlipping(
            features_in_step=SIDE,
            perturb_baseline="black",
            **quiet,  # its area under the curve needs NumPy 1
        ),
    }
    scores: dict[tuple[str, str], float] = {}
    for name, attribute in methods(network).items():

        def explain(model: nn.Module, inputs: np.ndarray, targets: np.ndarray, attribute=attribute, **_) -> np.ndarray:
            given = attribute(torch.tensor(inputs), target=torch.tensor(targets))
            return given.detach().mean(dim=1, keepdim=True).numpy()

        for metric, judge in metrics.items():
            judged = judge(
                model=network,
                x_batch=images.numpy(),
                y_batch=np.ones(len(images), dtype=np.int64),
                s_batch=masks,
                explain_func=explain,
            )
            scores[name, metric] = float(np.mean(judged))
    assert np.isfinite(list(scores.values())).all(), scores
    assert scores["tracer", "pointing game"] == 1
    assert scores["tracer", "relevance rank"] > scores["Saliency", "relevance rank"], scores
    assert scores["tracer", "sparseness"] > scores["Saliency", "sparseness"], scores
    assert scores["tracer", "pixel flipping"] < min(scores[name, "pixel flipping"] for name in methods(network)) + 0.01
