"""From networks, methods and images to a study that is frozen in a folder."""

import hashlib
import io
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from experiments import inputs
from experiments.errors import MethodError, SettingError, StudyError
from experiments.evaluation import labels, predict
from experiments.gallery import Gallery
from experiments.methods import Method, Subject
from experiments.run import Options, count, gather, left_out
from experiments.sampling import Sample, pinned
from experiments.seen import learned_on
from experiments.trust.sheets import make_sheets
from experiments.trust.study import FILE, LETTERS, STIMULI, Condition, Kind, Stimulus, Study, Told, Trial
from tracer import load_weights
from tracer.files import write_atomically
from tracer.images import Embedded, open_image
from tracer.plots import draw_heat, png
from tuner.datasets import ImageList, LabelledImage, sample

SIDE = 480
"""Longest side of a picture that raters see, in pixels."""

_QUALITY = 90
"""Of its JPEG file, the same for every picture."""


@dataclass(frozen=True)
class Plan:
    """How many trials of each kind a study has, and in how many orders they are shown."""

    rated: int
    practice: int
    attention: int
    sheets: int

    @property
    def kinds(self) -> list[Kind]:
        """The kind of each trial, in the order in which images are drawn for them."""
        numbers: dict[Kind, int] = {"rated": self.rated, "practice": self.practice, "attention": self.attention}
        return [kind for kind, number in numbers.items() for _ in range(number)]


def freeze(folder: Path, plan: Plan, methods: Sequence[Method], options: Options, contact: str = "") -> Study:
    """Make a study and freeze it in a new folder; the same options make the same bytes.

    Args:
        folder: Where to; nothing may be there.
        plan: How many trials, and in how many orders.
        methods: The methods of every network.
        options: ``archs`` and their ``checkpoints``; ``weights`` files, each used for the network that it was
            learned for; those of a run (:data:`experiments.run.Options`).
        contact: Whom raters may ask.

    Raises:
        StudyError: If something is at ``folder`` already.
        SettingError: If there are not enough images that every network gets right, or other options do not fit.
        MethodError: If a method cannot explain a network.
        SeenError: If settings were learned on some of the images.
    """
    if folder.exists():
        raise StudyError(f"{folder} is there already: a study is never changed; name another folder")
    networks = _networks(options)
    if len(set(methods)) < len(methods):
        raise SettingError("--methods: a method is named twice")
    if not 2 <= len(networks) * len(methods) <= len(LETTERS):
        raise SettingError(f"name two or more networks (--arch) or methods (--methods), {len(LETTERS)} maps at most")
    images = inputs.dataset(options, labelled=True)
    subjects = {name: inputs.subject(each) for name, each in networks.items()}
    seen = {
        _name(network, method, subjects, methods): ids
        for network, subject in subjects.items()
        for method in methods
        for ids in learned_on([method], subject).values()
    }
    right = _right(images, list(subjects.values()), options, left_out(seen, options))
    chosen = list(islice(right, len(plan.kinds)))
    if len(chosen) < len(plan.kinds):
        raise SettingError(
            f"only {len(chosen)} of the images are named right by every network, and {len(plan.kinds)} are needed: "
            "ask for fewer (--trials, --practice, --attention) or look at more (--limit)"
        )
    counts = count(chosen[: plan.rated], seen, options)
    conditions, maps, names = [], [], []
    for network, subject in subjects.items():
        found = gather(Gallery(target="label"), methods, Sample.of(chosen), subject, networks[network])
        for method in methods:
            if method.name not in found.records:
                raise MethodError(f"{method.name} cannot explain {network}: choose another method")
            name = _name(network, method, subjects, methods)
            conditions.append(_condition(name, network, method, subject, counts.get(name, 0)))
            maps.append(found.values(method.name, "map") / 255)
            names = found.values(method.name, "class").tolist()
    random = np.random.default_rng(options["seed"])
    files: dict[str, bytes] = {}
    trials = [
        _trial(kind, image, name, [each[place] for each in maps], files, random)
        for place, (kind, image, name) in enumerate(zip(plan.kinds, chosen, names, strict=True))
    ]
    study = Study(
        seed=options["seed"],
        contact=contact,
        conditions=tuple(conditions),
        trials=tuple(trials),
        sheets=tuple(make_sheets(trials, len(conditions), plan.sheets, random)),
        made={
            "versions": {package: version(package) for package in ("bandit-tracer", "torch", "matplotlib", "pillow")}
        },
    )
    _write(folder, study, files)
    return study


def _networks(options: Options) -> dict[str, dict[str, Any]]:
    """The options of each network by itself, as all commands have them."""
    archs, checkpoints = options["archs"], options["checkpoints"] or [None] * len(options["archs"])
    if len(set(archs)) < len(archs):
        raise SettingError("--arch: a network is named twice")
    if len(checkpoints) != len(archs):
        raise SettingError("--checkpoint: give one for each --arch, in the same order, or none")
    weights = {load_weights(path).architecture: path for path in options["weights"]}
    if unused := set(weights) - set(archs):
        raise SettingError(f"--weights: a file is of {', '.join(sorted(unused))}, which is no --arch")
    return {
        arch: {**options, "arch": arch, "checkpoint": checkpoint, "weights": weights.get(arch), "location": None}
        for arch, checkpoint in zip(archs, checkpoints, strict=True)
    }


def _name(network: str, method: Method, subjects: Mapping[str, Subject], methods: Sequence[Method]) -> str:
    """What a condition is called: its network, its method, or both where both differ."""
    if len(methods) == 1:
        return network
    return method.name if len(subjects) == 1 else f"{network} {method.name}"


def _condition(name: str, network: str, method: Method, subject: Subject, seen: int) -> Condition:
    return Condition(
        name=name,
        network=network,
        parameters_sha256=subject.model.parameters_sha256,
        method=method.name,
        settings=subject.settings.values() if method.traced else None,
        seen=seen,
    )


def _right(
    images: ImageList, subjects: Sequence[Subject], options: Options, without: frozenset[str]
) -> Iterator[LabelledImage]:
    """The images that every network gets right, in the order of the seed; later ones are not even opened."""
    for place in sample(images, options["limit"] or len(images), options["seed"]).tolist():
        if images[place].id in without:
            continue
        (image,) = pinned(images, [place])
        scenes = [predict(subject, [image], "label") for subject in subjects]
        if all(bool(scene.predicted == labels([image])) for scene in scenes):
            yield image


def _trial(
    kind: Kind,
    image: LabelledImage,
    name: str,
    maps: Sequence[NDArray[np.float64]],
    files: dict[str, bytes],
    random: np.random.Generator,
) -> Trial:
    """A trial; its pictures join the ``files``."""
    picture = image.open().convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    told = None
    if kind == "attention":
        told = Told(best=int(random.integers(len(maps))), score=int(random.integers(1, 6)))
    return Trial(
        kind=kind,
        image=image.id,
        pixels_sha256=image.pixels_sha256,
        object=name,
        picture=_freeze(picture, files),
        maps=tuple(_freeze(overlay(picture, heat), files) for heat in maps),
        told=told,
    )


def overlay(picture: Image.Image, heat: NDArray[np.float64]) -> Image.Image:
    """A map over a picture, of the picture's size; every map is drawn alike, whatever made it.

    Args:
        picture: RGB.
        heat: 0 to 1, of any shape.
    """
    whole = Figure(figsize=(picture.width / 100, picture.height / 100))
    FigureCanvasAgg(whole)
    axis = whole.add_axes((0, 0, 1, 1))
    axis.set_axis_off()
    axis.imshow(np.asarray(picture), extent=(0, picture.width, picture.height, 0), aspect="auto")
    draw_heat(heat, picture.size, axis)
    axis.set_aspect("auto")
    with open_image(Embedded("a drawing", lambda: png(whole))) as drawn:
        return drawn.convert("RGB").resize(picture.size, Image.Resampling.LANCZOS)


def _freeze(picture: Image.Image, files: dict[str, bytes]) -> Stimulus:
    content = io.BytesIO()
    picture.save(content, format="jpeg", quality=_QUALITY)
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    stimulus = Stimulus(file=f"{digest[:16]}.jpg", sha256=digest)
    files[stimulus.file] = content.getvalue()
    return stimulus


def _write(folder: Path, study: Study, files: Mapping[str, bytes]) -> None:
    """Write the whole study under a temporary name, then give it its own: it is there whole or not at all."""
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        for name, content in files.items():
            write_atomically(temporary / STIMULI / name, content, make_folder=True)
        write_atomically(temporary / FILE, study.document)
        temporary.rename(folder)
    except OSError as error:
        raise StudyError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
