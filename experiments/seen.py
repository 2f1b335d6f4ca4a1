"""Which images settings were learned on: on those they flatter themselves, so they are judged elsewhere.

A weight file of ``tuner export`` lists the images that its bandits saw (``provenance.tuned_on``). Those kept for its
check are not among them: no choice depended on them.
"""

from collections.abc import Iterable, Mapping, Sequence

from experiments.errors import SeenError
from experiments.methods import Method, Subject
from tracer import Weights
from tuner.datasets import LabelledImage

Learned = Mapping[str, frozenset[str] | None]
"""Method → ids of the images its settings were learned on; ``None`` where a weight file does not list them."""


def learned_on(methods: Iterable[Method], subject: Subject) -> Learned:
    """The ids of the images that each method's settings were learned on; a method that learned nothing is left out."""
    weights = {method.name: weights_of(method, subject) for method in methods}
    return {name: _images(each) for name, each in weights.items() if each is not None and each.provenance}


def weights_of(method: Method, subject: Subject) -> Weights | None:
    """The weight file that a method's settings are read from; ``None`` where they are from none."""
    if method.name == "tracer-learned":
        return subject.learned
    return subject.alpha if method.name == "tracer" and isinstance(subject.alpha, Weights) else None


def check_unseen(images: Sequence[LabelledImage], learned: Learned) -> None:
    """Make sure that no method is judged on images that its settings were learned on.

    Raises:
        SeenError: If one is, or may be; says on how many images and what to do.
    """
    for method, count in count_seen(images, learned).items():
        if learned[method] is None:
            raise SeenError(
                f"the weight file of {method} does not list the images it was learned on, which may be among these: "
                "export it again (`tuner export`), or say in every table that it may be so (--allow-seen)"
            )
        if count:
            raise SeenError(
                f"{method} was learned on {count} of these {len(images)} images, which would flatter it: "
                "leave them out (--unseen), or say in every table that it is so (--allow-seen)"
            )


def count_seen(images: Sequence[LabelledImage], learned: Learned) -> dict[str, int]:
    """On how many of the images each method's settings were learned; on all of them where that is not known."""
    ids = {image.id for image in images}
    return {method: len(ids if seen is None else ids & seen) for method, seen in learned.items()}


def _images(weights: Weights) -> frozenset[str] | None:
    listed = weights.provenance.get("tuned_on")
    return frozenset(map(str, listed)) if isinstance(listed, list) else None
