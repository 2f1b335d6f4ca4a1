"""Every attribution method behind one call.

:data:`METHODS` is the table of methods. A method is a factory that prepares one for a :class:`Subject`; what it returns
is called with a batch and its targets and gives saliency maps. To add a method, write a factory and add an entry::

    METHODS["mine"] = Method("mine", library="mine", factory="package.module:factory", pixelwise=True)
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from experiments.errors import MethodError

if TYPE_CHECKING:
    from tracer import Alpha, Model, TraceConfig, Tracer, Weights

Attribution = Callable[[Tensor, Tensor], Tensor]
"""(batch (b, 3, h, w), targets (b,) int64) → saliency maps (b, h, w), float32, non-negative, on the batch's device.
Runs the network itself: a call's time includes its forward passes."""


@dataclass(frozen=True)
class Subject:
    """What is explained: a network, and how the tracer is set for it.

    Args:
        model: The network in eval mode. No method changes it.
        config: How the tracer reads the method's open points.
        alpha: The weights that the tracer is used with.
    """

    model: "Model"
    config: "TraceConfig"
    alpha: "Alpha | Weights"

    @cached_property
    def tracer(self) -> "Tracer":
        """The tracer of the network (exporting its graph takes seconds, so it is made once)."""
        from tracer import Tracer

        return Tracer(self.model, self.config, self.alpha)

    @property
    def module(self) -> nn.Module:
        """The network as torch knows it."""
        return self.model.module


@dataclass(frozen=True)
class Method:
    """An attribution method.

    Args:
        name: What ``--methods`` calls it.
        library: Who computes it.
        factory: ``package.module:function``; the function takes a :class:`Subject` and returns an
            :data:`Attribution`. Named by text so that a library is imported only when its method is used.
        pixelwise: Whether the maps are values of single pixels, to be blurred before a maximum or a box is read off
            them. Maps of CAM methods are smooth already.
    """

    name: str
    library: str
    factory: str
    pixelwise: bool

    def prepare(self, subject: Subject) -> Attribution:
        """The method for one network, ready to be called.

        Raises:
            MethodError: If the method's library cannot explain this network.
        """
        module, _, function = self.factory.partition(":")
        return cast("Attribution", getattr(import_module(module), function)(subject))


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("tracer", "tracer", "experiments.methods.traces:traces", pixelwise=True),
        Method("grad-cam", "pytorch-grad-cam", "experiments.methods.cam:grad_cam", pixelwise=False),
        Method("grad-cam++", "pytorch-grad-cam", "experiments.methods.cam:grad_cam_pp", pixelwise=False),
        Method("torchcam", "TorchCAM (Grad-CAM)", "experiments.methods.cam:torchcam", pixelwise=False),
        Method("saliency", "Captum", "experiments.methods.gradients:saliency", pixelwise=True),
        Method("integrated-gradients", "Captum", "experiments.methods.gradients:integrated_gradients", pixelwise=True),
        Method("lrp-captum", "Captum", "experiments.methods.relevance:captum_lrp", pixelwise=True),
        Method("lrp-zennit", "Zennit", "experiments.methods.relevance:zennit_lrp", pixelwise=True),
    )
}


def find_method(name: str) -> Method:
    """The method of this name.

    Raises:
        MethodError: If there is none; names the nearest.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, n=1)
    raise MethodError(f"method {name!r} is unknown: " + (f"did you mean {near[0]}?" if near else ", ".join(METHODS)))
