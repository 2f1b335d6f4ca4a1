"""Class activation maps by pytorch-grad-cam and TorchCAM."""

from typing import Any

import torch
from torch import Tensor, nn

from experiments.methods import Attribution, Subject
from experiments.methods.layered import last_map, layered


def _prepare(network: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The layer to look at, set so that gradients flow back to it and no farther (a CAM needs no more)."""
    layer = last_map(network, shape)
    layer.register_forward_hook(lambda _, __, output: output.detach().requires_grad_())
    return layer


def _by_grad_cam(subject: Subject, kind: str) -> Attribution:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    network, cams = layered(subject.module), dict[tuple[int, ...], Any]()

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        shape = tuple(batch.shape[1:])
        if shape not in cams:
            cams[shape] = getattr(pytorch_grad_cam, kind)(network, [_prepare(network, shape)])
        maps = cams[shape](batch, [ClassifierOutputTarget(target) for target in targets.tolist()])
        return torch.as_tensor(maps, dtype=torch.float32, device=batch.device)

    return attribute


def grad_cam(subject: Subject) -> Attribution:
    """Grad-CAM (Selvaraju et al. 2017), scaled to the input by the library."""
    return _by_grad_cam(subject, "GradCAM")


def grad_cam_pp(subject: Subject) -> Attribution:
    """Grad-CAM++ (Chattopadhay et al. 2018), scaled to the input by the library."""
    return _by_grad_cam(subject, "GradCAMPlusPlus")


def torchcam(subject: Subject) -> Attribution:
    """Grad-CAM (Selvaraju et al. 2017) by TorchCAM, scaled to the input bilinearly."""
    from torchcam.methods import GradCAM

    network, cams = layered(subject.module), dict[tuple[int, ...], Any]()

    def attribute(batch: Tensor, targets: Tensor) -> Tensor:
        shape = tuple(batch.shape[1:])
        if shape not in cams:
            cams[shape] = GradCAM(network, _prepare(network, shape), input_shape=shape)
        maps = cams[shape](targets.tolist(), network(batch))[0]
        scaled = nn.functional.interpolate(maps[:, None], batch.shape[2:], mode="bilinear", align_corners=False)
        return scaled[:, 0].detach()

    return attribute
