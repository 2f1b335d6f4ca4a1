"""Grad-CAM++ of pytorch-grad-cam as the explainer of a job: ``explainer: grad_cam_pp.py:grad_cam_pp``.

Needs ``pip install grad-cam`` on every machine that runs workers.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tracer import Model


def grad_cam_pp(model: Model) -> Any:
    """Grad-CAM++ (Chattopadhay et al. 2018) at the last three stages of a ResNet, as variants to choose among.

    Returns:
        An explainer: images and targets in, the maps of ``layer2``, ``layer3`` and ``layer4`` out.
    """
    from pytorch_grad_cam import GradCAMPlusPlus
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    class EveryLayer(GradCAMPlusPlus):  # type: ignore[misc]
        """The maps of all layers side by side; the library's own are their mean."""

        def aggregate_multi_layers(self, maps: list[NDArray[np.float32]]) -> NDArray[np.float32]:
            return np.concatenate(maps, axis=1)

    layers: dict[str, nn.Module] = {
        name: module for name, module in model.module.named_children() if name in ("layer2", "layer3", "layer4")
    }
    cam = EveryLayer(model.module, list(layers.values()))

    def explain(batch: Tensor, targets: Tensor) -> dict[str, Tensor]:
        with torch.inference_mode(False), torch.enable_grad():
            maps = torch.from_numpy(cam(batch.clone(), [ClassifierOutputTarget(int(target)) for target in targets]))
        return dict(zip(layers, maps.clamp(min=0).unbind(1), strict=True))

    return explain
