"""Class activation maps by pytorch-grad-cam and TorchCAM."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from experiments.errors import MethodError
from experiments.methods import Attribution, Subject, Variants
from experiments.methods.layered import STAGES, layered, stages


def grad_cam(subject: Subject) -> Attribution:
    """Grad-CAM (Selvaraju et al. 2017), scaled to the input by the library."""
    return _last(_by_grad_cam(subject, "GradCAM", 1))


def grad_cam_variants(subject: Subject) -> Variants:
    """Grad-CAM at the last stages."""
    return _by_grad_cam(subject, "GradCAM", STAGES)


def grad_cam_pp(subject: Subject) -> Attribution:
    """Grad-CAM++ (Chattopadhay et al. 2018), scaled to the input by the library."""
    return _last(_by_grad_cam(subject, "GradCAMPlusPlus", 1))


def grad_cam_pp_variants(subject: Subject) -> Variants:
    """Grad-CAM++ at the last stages."""
    return _by_grad_cam(subject, "GradCAMPlusPlus", STAGES)


def layer_cam(subject: Subject) -> Attribution:
    """LayerCAM (Jiang et al. 2021), scaled to the input by the library."""
    return _last(_by_grad_cam(subject, "LayerCAM", 1))


def layer_cam_variants(subject: Subject) -> Variants:
    """LayerCAM at the last stages."""
    return _by_grad_cam(subject, "LayerCAM", STAGES)


def _by_grad_cam(subject: Subject, kind: str, count: int) -> Variants:
    """A method of pytorch-grad-cam at the last ``count`` stages, all from one forward and one backward pass."""
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    class EveryLayer(getattr(pytorch_grad_cam, kind)):  # type: ignore[misc]
        """The maps of all layers side by side; the library's own are their mean."""

        def aggregate_multi_layers(self, maps: list[NDArray[np.float32]]) -> NDArray[np.float32]:
            return np.concatenate(maps, axis=1)

    @cache
    def prepare(shape: tuple[int, ...]) -> tuple[Any, list[str]]:
        network = layered(subject.module)
        layers = stages(network, shape, count)
        _stop_gradients(layers.values())
        return EveryLayer(network, list(layers.values())), list(layers)

    def attribute(batch: Tensor, targets: Tensor) -> dict[str, Tensor]:
        cam, names = prepare(tuple(batch.shape[1:]))
        maps = cam(batch, [ClassifierOutputTarget(target) for target in targets.tolist()])
        found = torch.as_tensor(maps, dtype=torch.float32, device=batch.device)
        return dict(zip(names, found.unbind(1), strict=True))

    return attribute


def _last(variants: Variants) -> Attribution:
    """A method at the last of its variants."""

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        return list(variants(batch, targets).values())[-1]

    return attribute


def _stop_gradients(layers: Iterable[nn.Module]) -> None:
    """Let gradients flow back to the first of some layers and no farther: a CAM needs no more."""
    next(iter(layers)).register_forward_hook(lambda _, __, output: output.detach().requires_grad_())


def torchcam(subject: Subject) -> Attribution:
    """Grad-CAM (Selvaraju et al. 2017) by TorchCAM, scaled to the input bilinearly."""
    from torchcam.methods import GradCAM

    return _by_torchcam(subject, lambda network, layer, shape: GradCAM(network, layer, input_shape=shape))


def score_cam(subject: Subject) -> Attribution:
    """Score-CAM (Wang et al. 2020) by TorchCAM, scaled to the input bilinearly: a forward pass a channel."""
    from torchcam.methods import ScoreCAM

    return _by_torchcam(subject, lambda network, layer, shape: ScoreCAM(network, layer, input_shape=shape))


def cam(subject: Subject) -> Attribution:
    """CAM (Zhou et al. 2016) by TorchCAM, scaled to the input bilinearly.

    It needs a network that ends in a global average pooling and one linear layer.
    """
    from torchcam.methods import CAM

    def make(network: fx.GraphModule, layer: nn.Module, shape: tuple[int, ...]) -> Any:
        return CAM(network, layer, _classifier(network, layer), input_shape=shape)

    return _by_torchcam(subject, make)


def _by_torchcam(subject: Subject, make: Callable[[fx.GraphModule, nn.Module, tuple[int, ...]], Any]) -> Attribution:
    """A method of TorchCAM at the last stage."""

    @cache
    def prepare(shape: tuple[int, ...]) -> tuple[fx.GraphModule, Any]:
        network = layered(subject.module)
        (layer,) = stages(network, shape).values()
        _stop_gradients([layer])
        return network, make(network, layer, shape)

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        network, extractor = prepare(tuple(batch.shape[1:]))
        maps = extractor(targets.tolist(), network(batch))[0]
        scaled = nn.functional.interpolate(maps[:, None], batch.shape[2:], mode="bilinear", align_corners=False)
        return scaled[:, 0].detach()

    return attribute


def _classifier(network: fx.GraphModule, layer: nn.Module) -> nn.Linear:
    """The linear layer that scores the average of a layer's map over its locations.

    Raises:
        MethodError: If anything else follows the layer.
    """
    modules = dict(network.named_modules())
    nodes = list(network.graph.nodes)
    place = next(place for place, node in enumerate(nodes) if modules.get(str(node.target)) is layer)
    after = [modules.get(str(node.target), node.target) for node in nodes[place + 1 : -1]]
    steps = [step for step in after if step not in _FLATTENS and not isinstance(step, (nn.Flatten, nn.Dropout))]
    if len(steps) == 2 and isinstance(steps[0], nn.AdaptiveAvgPool2d) and isinstance(steps[1], nn.Linear):
        return steps[1]
    raise MethodError("CAM needs a network that ends in a global average pooling and one linear layer: leave it out")


_FLATTENS = (torch.flatten, "flatten")
