"""Every attribution method behind one call.

:data:`METHODS` is the table of methods. A method is a factory that prepares one for a :class:`Subject`; what it returns
is called with a batch and its targets and gives saliency maps. To add a method, write a factory and add an entry::

    METHODS["mine"] = Method("mine", library="mine", factory="package.module:factory", pixelwise=True)

Some methods can be read at several layers. Such *variants* are computed by a second factory, whose maps have names
(``14 x 14``), and a tuned comparison chooses among them.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from experiments.errors import MethodError

if TYPE_CHECKING:
    from tracer import Alpha, Model, Settings, TraceConfig, Tracer, Weights

Attribution = Callable[[Tensor, Tensor], Tensor]
"""(batch (b, 3, h, w), targets (b,) int64) → saliency maps (b, h, w), float32, non-negative, on the batch's device.
Runs the network itself: a call's time includes its forward passes."""

Variants = Callable[[Tensor, Tensor], dict[str, Tensor]]
"""The same batch and targets → the maps of each variant by its name, as :data:`Attribution` gives them."""


@dataclass(frozen=True, eq=False)
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

    @property
    def settings(self) -> "Settings":
        """What the tracer is used with."""
        from tracer import Alpha, Settings

        settings = Settings(self.alpha) if isinstance(self.alpha, Alpha) else self.alpha.settings
        return replace(settings, config=self.config)

    @property
    def learned(self) -> "Weights | None":
        """The learned settings: of the weight file in use, else those that come with the package, if any do."""
        from tracer import Weights, learned_weights

        return self.alpha if isinstance(self.alpha, Weights) else learned_weights(self.model.architecture)

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
        variants: Names a function that takes a :class:`Subject` and returns :data:`Variants`, likewise; empty for a
            method without a layer to choose.
    """

    name: str
    library: str
    factory: str
    pixelwise: bool
    variants: str = ""

    @property
    def traced(self) -> bool:
        """Whether the tracer computes it, so that its settings may matter."""
        return self.library == "tracer"

    def prepare(self, subject: Subject) -> Attribution:
        """The method for one network, ready to be called.

        Raises:
            MethodError: If the method's library cannot explain this network.
        """
        return cast("Attribution", _named(self.factory)(subject))

    def prepare_variants(self, subject: Subject) -> Variants:
        """All variants of the method for one network; of a method without any, its only map, whose name is empty.

        Raises:
            MethodError: If the method's library cannot explain this network.
        """
        if self.variants:
            return cast("Variants", _named(self.variants)(subject))
        return alone(self.prepare(subject))


def alone(attribution: Attribution) -> Variants:
    """A method as its only variant, whose name is empty."""
    return lambda batch, targets: {"": attribution(batch, targets)}


def _named(text: str) -> Callable[[Subject], object]:
    """The function that ``package.module:function`` names."""
    module, _, function = text.partition(":")
    return cast("Callable[[Subject], object]", getattr(import_module(module), function))


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("tracer", "tracer", "experiments.methods.traces:traces", pixelwise=True),
        Method("tracer-base", "tracer", "experiments.methods.traces:base", pixelwise=True),
        Method("tracer-learned", "tracer", "experiments.methods.traces:learned", pixelwise=True),
        Method("tracer-paper", "tracer", "experiments.methods.traces:paper", pixelwise=True),
        Method("cnn-fixations", "tracer", "experiments.methods.traces:cnn_fixations", pixelwise=True),
        Method(
            "excitation",
            "tracer",
            "experiments.methods.traces:excitation",
            pixelwise=False,
            variants="experiments.methods.traces:excitation_variants",
        ),
        Method(
            "grad-cam",
            "pytorch-grad-cam",
            "experiments.methods.cam:grad_cam",
            pixelwise=False,
            variants="experiments.methods.cam:grad_cam_variants",
        ),
        Method(
            "grad-cam++",
            "pytorch-grad-cam",
            "experiments.methods.cam:grad_cam_pp",
            pixelwise=False,
            variants="experiments.methods.cam:grad_cam_pp_variants",
        ),
        Method(
            "layer-cam",
            "pytorch-grad-cam",
            "experiments.methods.cam:layer_cam",
            pixelwise=False,
            variants="experiments.methods.cam:layer_cam_variants",
        ),
        Method("cam", "TorchCAM", "experiments.methods.cam:cam", pixelwise=False),
        Method("score-cam", "TorchCAM", "experiments.methods.cam:score_cam", pixelwise=False),
        Method("torchcam", "TorchCAM (Grad-CAM)", "experiments.methods.cam:torchcam", pixelwise=False),
        Method("saliency", "Captum", "experiments.methods.gradients:saliency", pixelwise=True),
        Method("deconvolution", "Captum", "experiments.methods.gradients:deconvolution", pixelwise=True),
        Method("guided-backprop", "Captum", "experiments.methods.gradients:guided_backpropagation", pixelwise=True),
        Method("integrated-gradients", "Captum", "experiments.methods.gradients:integrated_gradients", pixelwise=True),
        Method("lrp-captum", "Captum", "experiments.methods.relevance:captum_lrp", pixelwise=True),
        Method("lrp-zennit", "Zennit", "experiments.methods.relevance:zennit_lrp", pixelwise=True),
        Method(
            "excitation-backprop",
            "Zennit",
            "experiments.methods.relevance:excitation_backpropagation",
            pixelwise=True,
            variants="experiments.methods.relevance:excitation_variants",
        ),
        Method("occlusion", "Captum", "experiments.methods.perturbation:occlusion", pixelwise=False),
        Method("rise", "experiments", "experiments.methods.perturbation:rise", pixelwise=False),
        Method("centre-prior", "experiments", "experiments.methods.baselines:centre_prior", pixelwise=False),
        Method("random", "experiments", "experiments.methods.baselines:noise", pixelwise=True),
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
