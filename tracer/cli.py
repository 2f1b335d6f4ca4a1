"""The ``tracer`` command. Nothing heavy is imported before a command runs."""

import contextlib
import glob
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracer.errors import (
    DocumentError,
    ExplanationError,
    ImageError,
    OutputError,
    SettingError,
    TracerError,
    WeightsError,
)
from tracer.printable import json_text, one_line, printable

if TYPE_CHECKING:
    from tracer.explanation import Explanation
    from tracer.models import Model
    from tracer.settings import Settings
    from tracer.weights import Weights

Result = TypeVar("Result")
DEFAULT_OUTPUT = Path("explanations")
_FORMS = ("coco", "imagefolder", "csv", "parquet")  # tracer.exports.FORMS; that would import what takes long


class Commands(click.Group):
    """A group that turns the tracer's errors into one line on stderr: status 2 for bad input, 1 if writing failed."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except TracerError as error:
            click.echo(f"tracer: {one_line(error)}", err=True)
            sys.exit(1 if isinstance(error, OutputError) else 2)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="bandit-tracer", prog_name="tracer")
def main() -> None:
    """Explain a CNN by tracing its prediction back to the discriminative pixels of the image.

    Data goes to stdout, progress to stderr. Exit status: 0 done, 1 failed, 2 bad usage or input.
    """


_FORMAT = click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True,
    help="How results are printed.",
)  # fmt: skip


@main.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--arch",
    required=True,
    metavar="ARCH",
    help="A name of `tracer architectures`, timm:NAME, hf-hub:OWNER/NAME, MODULE:FACTORY or FILE.py:FACTORY.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The network's parameters (a state_dict, also as .safetensors); the source's default weights without it.",
)
@click.option(
    "--weights",
    metavar="FILE",
    help="What `tuner export` wrote for the architecture, or `none` for the defaults; without it the file that comes "
    "with the package for the architecture, if there is one.",
)
@click.option(
    "--compare",
    metavar="FILE",
    help="A second weight file: also draws both explanations in one picture.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Where pictures and JSON go; {DEFAULT_OUTPUT}/ without it, and nowhere with --format json.",
)
@click.option("--target", metavar="CLASS", help="The class to explain, by index or name; the predicted one without it.")
@click.option(
    "--top-n",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Explain the N most probable classes.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Change a setting, such as depth=16, box=patch or pre=0.1 (may be repeated); see docs/method.md.",
)
@_FORMAT
@click.option("--device", default="cpu", show_default=True, metavar="DEVICE", help="cpu, cuda, cuda:1 ...")
@click.option(
    "--jobs", type=click.IntRange(1), default=2, show_default=True, metavar="N", help="Threads that decode images."
)
def explain(
    images: tuple[str, ...],
    arch: str,
    checkpoint: Path | None,
    weights: str | None,
    compare: str | None,
    output: Path | None,
    target: str | None,
    top_n: int,
    changes: tuple[str, ...],
    form: str,
    device: str,
    jobs: int,
) -> None:
    """Explain why a network gives images their class.

    IMAGE is a file, a folder, or a glob in quotes. Each image gets STEM.explanation.png (image, points, map and box
    side by side) and STEM.explanation.json (points with shares, box, class, settings, hashes, versions); with --target
    or --top-n the class stands after STEM. All input is checked before anything is written. Of several images, those
    that cannot be read are told and left out, and the exit status is 1. Some are decoded and drawn while others are
    traced. Of the weights, suc counts the succeeding layer's support above its default of 1 (successor: excess), and
    of cur and pre only the ratio matters.

    \b
    Examples:
      tracer explain cat.jpg --arch resnet18
      tracer explain photos/ --arch resnet50 --checkpoint resnet50.pth --weights resnet50.yaml -o explained
      tracer explain cat.jpg --arch vgg16 --target "tiger cat"
      tracer explain cat.jpg --arch vgg16 --top-n 3
      tracer explain cat.jpg --arch resnet50 --set depth=layer3 --set "cut=mass 0.6"
      tracer explain 'photos/**/*.jpg' --arch networks.py:my_network --checkpoint mine.pth -f json
      tracer explain cat.jpg --arch resnet18 --weights first.yaml --compare second.yaml
    """  # noqa: D301 - click reads \b itself
    if target is not None and top_n > 1:
        raise click.UsageError("--target names one class and --top-n asks for several: give one of them")
    paths = _found(images)
    from tracer.ahead import map_ahead
    from tracer.images import check_image, open_image

    chosen = [_chosen(each, arch, changes) for each in (weights, compare)[: 2 if compare else 1]]
    found, left_out = len(paths), []
    if found > 1:
        faults = list(map_ahead(lambda path: _fault(check_image, path), paths, jobs, 2 * jobs))
        left_out = [fault for fault in faults if fault is not None]
        paths = [path for path, fault in zip(paths, faults, strict=True) if fault is None]
        if not paths:
            raise ImageError(f"no image to explain; the first is bad: {left_out[0]}")
    else:  # of one alone the head, before a network is loaded: the rest is read before anything is written
        with open_image(paths[0]):
            pass
    from tracer.models import load_model
    from tracer.trace import BATCH, Tracer

    model = load_model(arch, checkpoint, device=device)
    tracer = Tracer(model)
    for each in chosen:
        with _naming(each.file):
            tracer.check_layers([each.settings])
    settings, titles = [each.settings for each in chosen], [each.title for each in chosen]
    index = None if target is None else model.class_index(target)
    folder = output or (DEFAULT_OUTPUT if form == "table" else None)
    top = top_n if top_n > 1 else None

    def save(explained: "tuple[str, list[list[Explanation]]]") -> "list[tuple[list[Explanation], Path | None]]":
        stem, classes = explained
        slugs = [_slug(each[0], model.categories or ()) for each in classes]
        suffixes = [
            f".{rank}-{slug}" if top else "" if index is None else f".{slug}" for rank, slug in enumerate(slugs, 1)
        ]
        return [
            (each, _saved(each, titles, folder, stem + suffix) if folder else None)
            for each, suffix in zip(classes, suffixes, strict=True)
        ]

    traced = tracer.explain_stream(paths, settings, [index], top=top, jobs=jobs)
    drawn = map_ahead(save, zip(_stems(paths), traced, strict=True), ahead=BATCH)
    printed = []
    notes = [f"settings: {each.title}{each.gain}" for each in chosen] if form == "table" else []
    notes += [f"note: {note}" for note in dict.fromkeys(_notes(chosen, changes, model))]
    notes += [f"left out: {one_line(fault)}" for fault in left_out]
    for path, classes in zip(paths, _tracked(drawn, len(paths)), strict=True):
        while notes:  # a refusal is one line, so nothing is said before the first result
            click.echo(notes.pop(0), err=True)
        for explained, picture in classes:
            if form == "table":
                click.echo(_line(path, explained[0], picture))
            else:
                printed += [each.to_dict() for each in explained]
    if form == "json":
        click.echo(json_text(printed, 1))
    if left_out:
        click.echo(f"tracer: {len(left_out)} of {found} images left out", err=True)
        sys.exit(1)


@main.command()
@click.argument("explanations", nargs=-1, required=True, metavar="EXPLANATION...")
@click.option("--to", "form", type=click.Choice(_FORMS), required=True, help="The form that is written.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Where the data set goes.",
)  # fmt: skip
def export(explanations: tuple[str, ...], form: str, output: Path) -> None:
    """Write saved explanations as a data set that other tools read: images, boxes, classes and maps.

    EXPLANATION is a file STEM.explanation.json of `tracer explain`, a folder of such files, or a glob in quotes. The
    images are copied from where they were explained. Every form can be read by a tuning job too.

    \b
    coco         annotations/instances_explained.json, as FiftyOne and pycocotools read it
    imagefolder  train/metadata.jsonl, as Hugging Face's load_dataset("imagefolder") reads it
    csv          boxes.csv, a line an explanation
    parquet      train.parquet, as Hugging Face's load_dataset("parquet") reads it, with images and maps in it

    \b
    Examples:
      tracer export explained/ --to coco -o dataset
      tracer export explained/cat.explanation.json --to parquet -o dataset
    """  # noqa: D301 - click reads \b itself
    paths = _named(explanations, ".explanation.json", ExplanationError)
    from tracer.explanation import Explanation
    from tracer.exports import export as write

    path = write([Explanation.load(path) for path in paths], output, form)
    click.echo(printable(f"{len(paths)} explanations -> {path}"))


@main.command("architectures")
@_FORMAT
def list_architectures(form: str) -> None:
    """List the torchvision classifiers that can be traced, and for which learned settings come with the package.

    \b
    Examples:
      tracer architectures
      tracer architectures -f json
    """  # noqa: D301 - click reads \b itself
    from torchvision.models import get_model_weights

    from tracer.models import architectures
    from tracer.weights import learned_architectures

    learned = learned_architectures()
    rows: list[dict[str, Any]] = []
    for name in architectures():
        standard = get_model_weights(name).DEFAULT
        side = standard.transforms().crop_size[0]
        rows.append(
            {"architecture": name, "input": side, "parameters": standard.meta["num_params"], "learned": name in learned}
        )
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    click.echo(f"{'architecture':<20} {'input':>9} {'parameters':>11}  learned settings")
    for row in rows:
        side = f"{row['input']} x {row['input']}"
        known = "yes" if row["learned"] else ""
        click.echo(f"{row['architecture']:<20} {side:>9} {row['parameters'] / 1e6:>9.1f} M  {known}".rstrip())


@contextlib.contextmanager
def _naming(file: str | None) -> Iterator[None]:
    """A weight file's name before what is wrong with it."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{file}: {error}" if file else str(error)) from error


@dataclass(frozen=True)
class _Chosen:
    """The settings to explain with, and what is said of them.

    Args:
        settings: The settings.
        title: Where they come from.
        loaded: The weights of a file that they were read from, if they were.
        gain: What was gained by learning them, as far as their weight file says; begins with "; ".
        file: The weight file that the user named.
    """

    settings: "Settings"
    title: str
    loaded: "Weights | None" = None
    gain: str = ""
    file: str | None = None


def _chosen(file: str | None, architecture: str, changes: Sequence[str]) -> _Chosen:
    """The settings of a weight file: the user's (``none`` for the defaults), or the one that comes with the package."""
    from tracer.settings import Settings
    from tracer.weights import describe_check, learned_weights, load_weights

    loaded = learned_weights(architecture) if file is None else None if file == "none" else load_weights(file)
    if loaded is not None:
        with _naming(file):
            loaded.check_architecture(architecture)
    try:
        settings = (loaded.settings if loaded else Settings()).changed(_changes(changes))
    except ValueError as error:
        raise SettingError(f"--set: {error}") from error
    if loaded is None:
        return _Chosen(settings, "the defaults")
    sentence = describe_check(loaded.check)
    title = Path(file).name if file else f"learned for {loaded.architecture}, from the package"
    return _Chosen(settings, title, loaded, f"; {sentence}" if sentence else "", file)


def _notes(chosen: Iterable[_Chosen], changes: Sequence[str], model: "Model") -> Iterator[str]:
    """What the user should know of the settings, a sentence each."""
    from tracer.settings import WEIGHTS

    weighed = [name for name in _changes(changes) if name in WEIGHTS]
    for each in chosen:
        if each.loaded is not None and (said := each.loaded.describe_parameters(model)):
            yield said
        if weighed and each.settings.config.dense:
            yield (
                f"{', '.join(weighed)}: without effect, for every layer hands on all its positive evidence (excitation "
                "backpropagation); weights matter with location=peak, convolution=1 or share=score, for example"
            )


def _changes(changes: Sequence[str]) -> dict[str, Any]:
    """Settings as they are given on the command line, with values read as a weight file's are."""
    from tracer.documents import parse_document

    values: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise click.UsageError(f"--set {change}: write SETTING=VALUE, such as depth=16")
        try:
            values[name.strip()] = parse_document(value, "--set").data
        except DocumentError as error:
            raise click.UsageError(f"--set {change}: {value!r} is no plain value") from error
    return values


def _fault(check: Callable[[Path], None], path: Path) -> ImageError | None:
    """What is wrong with an image, where something is."""
    try:
        check(path)
    except ImageError as error:
        return error
    return None


def _slug(explanation: "Explanation", categories: Sequence[str]) -> str:
    """The class's name as part of a file's name, with its index where another class's would read the same."""
    slug, index = _plain(explanation.name), str(explanation.target)
    alike = sum(_plain(name) == slug for name in categories) > 1
    return "-".join(filter(None, (slug, index if alike or not slug else "")))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _found(arguments: Iterable[str]) -> list[Path]:
    """The image files that files, folders and globs name, each once, in order."""
    from tracer.images import FORMATS

    return _named(arguments, tuple(suffix for suffixes in FORMATS.values() for suffix in suffixes), ImageError)


def _named(arguments: Iterable[str], suffixes: str | tuple[str, ...], refusal: type[TracerError]) -> list[Path]:
    """The files that files, folders and globs name, each once, in order.

    Args:
        arguments: What the user named.
        suffixes: How those of a folder's files end that are taken.
        refusal: What is raised where there is none.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        try:
            if path.is_dir():
                inside = (each for each in path.iterdir() if each.name.lower().endswith(suffixes))
                matches = sorted(each for each in inside if each.is_file())
            elif not path.exists() and glob.has_magic(argument):
                named = glob.glob(argument, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
                matches = sorted(each for each in map(Path, named) if each.is_file())
            else:
                matches = [path]
        except OSError as error:  # a name too long, a folder that may not be looked into
            raise refusal(f"{argument}: cannot be read ({error.strerror}); check the path") from error
        if not matches:
            what = "image" if refusal is ImageError else "explanation"
            raise refusal(f"{argument}: no {what} there; check the path")
        found.update(dict.fromkeys(matches))
    return list(found)


def _stems(paths: Sequence[Path]) -> list[str]:
    """How the written files' names begin: the images' stems, numbered where images of several folders share one."""
    seen: Counter[str] = Counter()
    taken = {path.stem for path in paths}
    stems = []
    for path in paths:
        seen[path.stem] += 1
        stem = path.stem if seen[path.stem] == 1 else f"{path.stem}-{seen[path.stem]}"
        while stem != path.stem and stem in taken:
            seen[path.stem] += 1
            stem = f"{path.stem}-{seen[path.stem]}"
        stems.append(stem)
        taken.add(stem)
    return stems


def _saved(explanations: "Sequence[Explanation]", titles: Sequence[str], folder: Path, stem: str) -> Path:
    """Write the first explanation, and both in one picture where there are two; returns the picture to look at."""
    picture = explanations[0].save(folder, stem)
    if len(explanations) > 1:
        from tracer import plots
        from tracer.files import write_atomically

        picture = folder / f"{stem}.comparison.png"
        rows = [each.row(title) for each, title in zip(explanations, titles, strict=True)]
        write_atomically(picture, plots.png(plots.figure(rows)))
    return picture


def _line(path: Path, explanation: "Explanation", picture: Path | None) -> str:
    return printable(f"{path}: {explanation.headline}, {explanation.whereabouts} -> {picture}")


def _tracked(results: Iterable[Result], count: int) -> Iterable[Result]:
    """The results, counted on a bar on stderr where there are several and a terminal shows it."""
    from rich.console import Console
    from rich.progress import track

    shown = count > 1 and sys.stderr.isatty()
    return track(results, "explaining", total=count, console=Console(stderr=True), disable=not shown)


if __name__ == "__main__":
    main()
