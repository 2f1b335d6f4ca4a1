"""The ``tracer`` command. Nothing heavy is imported before a command runs."""

import contextlib
import glob
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tracer.errors import ImageError, OutputError, TargetError, TracerError, WeightsError
from tracer.printable import one_line, printable

if TYPE_CHECKING:
    from tracer.explanation import Explanation
    from tracer.models import Model

DEFAULT_OUTPUT = Path("explanations")


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
    "--arch", required=True, metavar="ARCH", help="A name of `tracer architectures`, MODULE:FACTORY or FILE.py:FACTORY."
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The network's parameters (a state_dict); torchvision's default weights without it.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What `tuner export` wrote for the architecture; all weights 1 without it.",
)
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
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
    "--location",
    type=click.Choice(["peak", "center"]),
    help="Follow a convolution to its strongest product or to its field's centre; the weight file's, or peak.",
)
@click.option(
    "--box",
    type=click.Choice(["points", "density"]),
    help="Box the points, or the largest patch of the heatmap; the weight file's, or points.",
)
@_FORMAT
@click.option("--device", default="cpu", show_default=True, metavar="DEVICE", help="cpu, cuda, cuda:1 ...")
def explain(
    images: tuple[str, ...],
    arch: str,
    checkpoint: Path | None,
    weights: Path | None,
    compare: Path | None,
    output: Path | None,
    target: str | None,
    top_n: int,
    location: Literal["peak", "center"] | None,
    box: Literal["points", "density"] | None,
    form: str,
    device: str,
) -> None:
    """Explain why a network gives images their class.

    IMAGE is a file, a folder, or a glob in quotes. Each image gets STEM.explanation.png (image, points, heatmap and box
    side by side) and STEM.explanation.json (points with shares, box, class, weights, hashes, versions). All input is
    checked before anything is written. Of the weights, suc counts the succeeding layer's support above its default of 1
    (successor: excess), and of cur and pre only the ratio matters.

    \b
    Examples:
      tracer explain cat.jpg --arch resnet18
      tracer explain photos/ --arch resnet50 --checkpoint resnet50.pth --weights resnet50.yaml -o explained
      tracer explain cat.jpg --arch vgg16 --target "tiger cat"
      tracer explain cat.jpg --arch vgg16 --top-n 3
      tracer explain cat.jpg --arch resnet50 --location center --box density
      tracer explain 'photos/**/*.jpg' --arch networks.py:my_network --checkpoint mine.pth -f json
      tracer explain cat.jpg --arch resnet18 --weights first.yaml --compare second.yaml
    """  # noqa: D301 - click reads \b itself
    if target is not None and top_n > 1:
        raise click.UsageError("--target names one class and --top-n asks for several: give one of them")
    paths = _found(images)
    from tracer.images import read_image
    from tracer.weights import load_weights

    files = {path: load_weights(path) for path in (weights, compare) if path is not None}
    for path, loaded in files.items():
        with _naming(path):
            loaded.check(arch)
    for path in paths:
        read_image(path)
    from tracer.config import TraceConfig
    from tracer.models import load_model
    from tracer.trace import Tracer

    model = load_model(arch, checkpoint, device=device)
    asked: dict[str, Any] = {name: value for name, value in (("location", location), ("box", box)) if value}
    tracers: dict[Path | None, Tracer] = {None: Tracer(model, replace(TraceConfig(), **asked))}
    for path, loaded in files.items():
        with _naming(path):
            tracers[path] = Tracer(model, replace(loaded.tracer, **asked), loaded)
    index = None if target is None else model.class_index(target)
    folder = output or (DEFAULT_OUTPUT if form == "table" else None)
    first, second = tracers[weights], tracers[compare] if compare else None
    titles = [weights.name if weights else "all weights 1", compare.name if compare else ""]
    printed = []
    for path, stem in _tracked(list(zip(paths, _stems(paths), strict=True))):
        for suffix, chosen in _classes(model, path, index, top_n):
            explanation = first.explain(path, target=chosen)
            pair = [explanation] if second is None else [explanation, second.explain(path, target=chosen)]
            picture = _saved(pair, titles, folder, stem + suffix) if folder else None
            if form == "table":
                click.echo(_line(path, explanation, picture))
            else:
                printed += [each.to_dict() for each in pair]
    if form == "json":
        click.echo(json.dumps(printed, indent=1, ensure_ascii=False))


@main.command("architectures")
@_FORMAT
def list_architectures(form: str) -> None:
    """List the torchvision classifiers that can be traced, with the side of their input and their parameters.

    \b
    Examples:
      tracer architectures
      tracer architectures -f json
    """  # noqa: D301 - click reads \b itself
    from torchvision.models import get_model_weights

    from tracer.models import architectures

    rows: list[dict[str, Any]] = []
    for name in architectures():
        standard = get_model_weights(name).DEFAULT
        side = standard.transforms().crop_size[0]
        rows.append({"architecture": name, "input": side, "parameters": standard.meta["num_params"]})
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    click.echo(f"{'architecture':<20} {'input':>9} {'parameters':>11}")
    for row in rows:
        side = f"{row['input']} x {row['input']}"
        click.echo(f"{row['architecture']:<20} {side:>9} {row['parameters'] / 1e6:>9.1f} M")


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A weight file's name before what is wrong with it."""
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _found(arguments: Iterable[str]) -> list[Path]:
    """The image files that files, folders and globs name, each once, in order."""
    from tracer.images import FORMATS

    known = {suffix for suffixes in FORMATS.values() for suffix in suffixes}
    found: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        try:
            if path.is_dir():
                matches = sorted(each for each in path.iterdir() if each.suffix.lower() in known and each.is_file())
            elif not path.exists() and glob.has_magic(argument):
                named = glob.glob(argument, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
                matches = sorted(each for each in map(Path, named) if each.is_file())
            else:
                matches = [path]
        except OSError as error:  # a name too long, a folder that may not be looked into
            raise ImageError(f"{argument}: cannot be read ({error.strerror}); check the path") from error
        if not matches:
            raise ImageError(f"{argument}: no image there; check the path")
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


def _classes(model: "Model", path: Path, index: int | None, count: int) -> Iterator[tuple[str, int | None]]:
    """What to explain of an image: a suffix for the files' names and the class, ``None`` for the predicted one."""
    if count == 1:
        yield "", index
        return
    from tracer.images import read_image

    predicted = model.predict(read_image(path), count)
    if len(predicted) < count:
        raise TargetError(f"--top-n {count}: {model.architecture} has {len(predicted)} classes")
    for rank, (chosen, _) in enumerate(predicted, start=1):
        name = re.sub(r"[^a-z0-9]+", "-", model.class_name(chosen).lower()).strip("-")
        yield f".{rank}-{name or chosen}", chosen


def _saved(explanations: "Sequence[Explanation]", titles: Sequence[str], folder: Path, stem: str) -> Path:
    """Write the first explanation, and both in one picture where there are two; returns the picture to look at."""
    picture = explanations[0].save(folder, stem)
    if len(explanations) > 1:
        from tracer import plots
        from tracer.files import write_atomically

        picture = folder / f"{stem}.comparison.png"
        write_atomically(picture, plots.png(plots.figure(explanations, titles)))
    return picture


def _line(path: Path, explanation: "Explanation", picture: Path | None) -> str:
    x0, y0, x1, y1 = (round(float(side)) for side in explanation.box)
    line = f"{path}: {explanation.name} {explanation.probability:.1%}, box ({x0}, {y0}, {x1}, {y1}) -> {picture}"
    return printable(line)


def _tracked(work: Sequence[tuple[Path, str]]) -> Iterable[tuple[Path, str]]:
    """The images, counted on a bar on stderr where there are several and a terminal shows it."""
    from rich.console import Console
    from rich.progress import track

    shown = len(work) > 1 and sys.stderr.isatty()
    return track(work, "explaining", console=Console(stderr=True), disable=not shown)


if __name__ == "__main__":
    main()
