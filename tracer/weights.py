"""The learned weights of an architecture, as a file that a person can read and the tracer checks."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.config import TraceConfig
from tracer.documents import Dumper, dump_document, read_document
from tracer.errors import DocumentError, WeightsError, nearest
from tracer.evidence import Alpha
from tracer.files import write_atomically
from tracer.settings import Settings

if TYPE_CHECKING:
    from tracer.models import Model

FORMAT = 1
"""The format of weight files that is written and read."""

_HEADER = "# suc weighs the succeeding layer's support above its default of 1; of cur and pre only the ratio matters.\n"

_LEARNED = Path(__file__).parent / "learned"

_NAMES = ("cur", "suc", "pre")
_KEYS = ("format", "architecture", "weights", "layers", "tracer", "check", "evidence", "provenance")


@dataclass(frozen=True)
class Weights:
    """Weights of the evidence for one architecture, and how they were learned.

    Args:
        architecture: The network's name, as :func:`tracer.load_model` takes it.
        alpha: The weights.
        layers: Weights of single layers in their place, by the name of the layer in the model (``layer1.0.conv1``).
        tracer: The configuration that they were learned with, and are to be used with.
        check: What was gained, on images that were not used to learn (:func:`describe_check`). Plain values.
        evidence: What is known of each setting tuned: pulls, successes, mean, interval, outcome. Plain values.
        provenance: Where they come from: job, seed, hashes, versions. Plain values.

    Raises:
        WeightsError: If the architecture is empty, or check, evidence or provenance hold other than plain values.
    """

    architecture: str
    alpha: Alpha
    layers: Mapping[str, Alpha] = field(default_factory=dict)
    tracer: TraceConfig = TraceConfig()  # noqa: RUF009 - frozen
    check: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.architecture.strip():
            raise WeightsError("architecture: empty; name the network that the weights belong to")
        object.__setattr__(self, "layers", dict(self.layers))
        for name in ("check", "evidence", "provenance"):
            object.__setattr__(self, name, _plain(getattr(self, name), name))

    def __hash__(self) -> int:
        return hash((self.architecture, self.alpha, tuple(sorted(self.layers.items())), self.tracer))

    @property
    def settings(self) -> Settings:
        """What to explain with."""
        return Settings(self.alpha, self.tracer, self.layers)

    def check_architecture(self, architecture: str) -> None:
        """Make sure that the weights belong to an architecture.

        Raises:
            WeightsError: If they were made for another.
        """
        if _plain_name(self.architecture) != _plain_name(architecture):
            raise WeightsError(
                f"weights of architecture {self.architecture!r} for {architecture!r}; "
                "choose the weight file of that architecture, or tune it"
            )

    def describe_parameters(self, model: "Model") -> str:
        """That the network's parameters are others than those learned on, as one sentence.

        Empty where they are the same, or the weights do not say what they were learned on.
        """
        checkpoint, parameters = (self.provenance.get(f"{name}_sha256") for name in ("checkpoint", "parameters"))
        same = checkpoint is not None and checkpoint == model.checkpoint_sha256
        if same or not (checkpoint or parameters) or (parameters and parameters == model.parameters_sha256):
            return ""
        return (
            f"the settings were learned on other parameters of {self.architecture} than these; they may not be the best"
        )

    def to_bytes(self) -> bytes:
        """The weight file: YAML in UTF-8. Equal weights give equal bytes, in whatever order they were filled in."""
        sections = {
            "format": FORMAT,
            "architecture": self.architecture,
            "weights": asdict(self.alpha),
            "layers": {name: asdict(self.layers[name]) for name in sorted(self.layers)},
            "tracer": asdict(self.tracer),
            "check": _ordered(self.check),
            "evidence": _ordered(self.evidence),
            "provenance": _ordered(self.provenance),
        }
        return (_HEADER + dump_document(sections, dumper=_Dumper, width=120)).encode()

    def save(self, path: str | Path) -> None:
        """Write the weight file whole, or not at all.

        Raises:
            OutputError: If it cannot be written.
        """
        write_atomically(Path(path), self.to_bytes())


def learned_weights(architecture: str) -> Weights | None:
    """The weights that come with the package for an architecture; ``None`` where none do."""
    for name in learned_architectures():
        if _plain_name(name) == _plain_name(architecture):
            return load_weights(_LEARNED / f"{name}.yaml")
    return None


def learned_architectures() -> tuple[str, ...]:
    """The architectures that weights come with the package for, sorted."""
    return tuple(sorted(path.stem for path in _LEARNED.glob("*.yaml")))


def describe_check(check: Mapping[str, Any]) -> str:
    """What was gained by learning, as one sentence; empty where it was not checked.

    Args:
        check: ``images`` that were not used to learn, on how many of them ``base`` and ``learned`` settings succeed (as
            shares), their ``difference`` and its 95% ``interval``. What a success is stands in ``success``, with
            ``{share}`` in the place of the share. Where they are known, also ``whole_image``, the share of what needs
            no network, which ``trivial`` names; and, where ``reward`` is ``iou``, ``mean_iou``, a mapping of the same
            keys. A file that names no reward was learned by IOU.
    """
    if not check.get("images"):
        return ""
    low, high = check["interval"]
    reward = check.get("reward", "iou")
    success = str(check.get("success", "box {share} of the objects")).replace("{share}", f"{check['learned']:.0%}")
    gained = f"{100 * check['difference']:+.0f} points, between {100 * low:+.0f} and {100 * high:+.0f}, on"
    if low == high == 0:  # an interval of no width: no image tells the two apart
        gained = "the same on each of"
    sentence = (
        f"learned settings {success}, the base {check['base']:.0%}: "
        f"{gained} {check['images']} images that were not used to learn"
    )
    if f"mean_{reward}" in check:
        values = check[f"mean_{reward}"]
        low, high = values["interval"]
        change = f"{values['difference']:+.3f}, between {low:+.3f} and {high:+.3f}"
        sentence += (
            f"; mean {describe_reward(reward)} {values['learned']:.3f}, the base {values['base']:.3f}: "
            f"{'the same on each' if low == high == 0 else change}"
        )
    if "whole_image" in check:
        trivial = check.get("trivial", "the box around the whole image")
        sentence += f"; {trivial} is right on {check['whole_image']:.0%}"
    return sentence


def describe_reward(name: str) -> str:
    """A reward's name in a sentence."""
    return "IOU" if name == "iou" else name


def load_weights(path: str | Path) -> Weights:
    """The weights of a file. Only ``format``, ``architecture`` and ``weights`` are required.

    Raises:
        WeightsError: If the file is missing, malformed, of another format, or holds an unknown key or a bad value; one
            line that names the file and the place.
    """
    try:
        content = read_document(Path(path)).data
    except DocumentError as error:
        raise WeightsError(str(error)) from error
    try:
        return _weights(content)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _weights(content: Any) -> Weights:
    if not isinstance(content, dict):
        raise WeightsError(f"holds {_kind(content)} instead of a weight file")
    number = content.get("format")
    if type(number) is not int or number != FORMAT:
        raise WeightsError(
            f"format: {number!r} instead of {FORMAT}, which this version reads; export the weights again"
        )
    _mapping("", content, _KEYS)
    architecture = content.get("architecture")
    if not isinstance(architecture, str):
        raise WeightsError(f"architecture: {architecture!r} instead of a name")
    if "weights" not in content:
        raise WeightsError("weights: missing; write {cur: 1.0, suc: 1.0, pre: 1.0}")
    alpha = _alpha("weights", content["weights"], Alpha())
    layers = _mapping("layers", content.get("layers"))
    return Weights(
        architecture,
        alpha,
        {name: _alpha(f"layers.{name}", value, alpha) for name, value in layers.items()},
        _config(content.get("tracer")),
        _mapping("check", content.get("check")),
        _mapping("evidence", content.get("evidence")),
        _mapping("provenance", content.get("provenance")),
    )


def _mapping(place: str, value: Any, known: Collection[str] | None = None) -> dict[str, Any]:
    """A mapping with string keys, all of them known; an absent one is empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WeightsError(f"{place}: {_kind(value)} instead of a mapping")
    for key in value:
        where = f"{place}.{key}" if place else str(key)
        if not isinstance(key, str):
            raise WeightsError(f"{where}: the key must be text; put it in quotes")
        if known is not None and key not in known:
            raise WeightsError(f"{where}: unknown key{nearest(key, known)}")
    return value


def _alpha(place: str, value: Any, default: Alpha) -> Alpha:
    """Three weights; those not given are the default's."""
    given = _mapping(place, value, _NAMES)
    for name, weight in given.items():
        number = isinstance(weight, (int, float)) and not isinstance(weight, bool)
        if not (number and math.isfinite(weight) and weight >= 0):
            raise WeightsError(f"{place}.{name}: {weight!r} instead of a finite number of at least 0")
    return Alpha(**{name: float(given.get(name, getattr(default, name))) for name in _NAMES})


def _config(value: Any) -> TraceConfig:
    try:
        return TraceConfig(**_mapping("tracer", value, [part.name for part in fields(TraceConfig)]))
    except (TypeError, ValueError) as error:
        raise WeightsError(f"tracer.{error}") from error


def _plain_name(architecture: str) -> str:
    """A network's name wherever the file of a user's own lies: ``a/nets.py:f`` and ``pkg.nets:f`` are ``nets:f``."""
    source, colon, factory = architecture.rpartition(":")
    return f"{Path(source).stem if source.endswith('.py') else source.rpartition('.')[2]}{colon}{factory}"


def _plain(value: Any, place: str) -> Any:
    """A copy of nested mappings, sequences and scalars in Python's own types; finite."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise WeightsError(f"{place}: the keys must be text")
        return {key: _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise WeightsError(f"{place}: {value!r} is not finite")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise WeightsError(f"{place}: {_kind(value)} is no plain value; store it as text or a number")


def _ordered(value: Any) -> Any:
    """The value with the keys of its mappings sorted, the three weights in their usual order."""
    if isinstance(value, Mapping):
        keys = _NAMES if set(value) == set(_NAMES) else sorted(value)
        return {key: _ordered(value[key]) for key in keys}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__


class _Dumper(Dumper):
    """Writes dates without quotes, for they are read as text."""


_Dumper.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in Dumper.yaml_implicit_resolvers.items()
}
