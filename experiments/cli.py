"""The ``experiments`` command. Nothing heavy is imported before a command runs."""

import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from experiments.errors import ExperimentError, SettingError
from experiments.options import (
    Command,
    comparison_options,
    image_options,
    limit_option,
    methods_option,
    network_options,
    picture_option,
    run_options,
    split_names,
    threshold_option,
    tracer_options,
    tuning_options,
    variant_options,
    work_options,
)
from experiments.present import present
from experiments.report.cli import report
from experiments.trust.cli import report as trust_report
from experiments.trust.cli import trust
from tuner.cli.errors import BAD_INPUT, error_line, exit_status
from tuner.cli.options import format_option

if TYPE_CHECKING:
    from experiments.methods import Method
    from experiments.result import Result
    from experiments.run import Answering

SPEED_SECTIONS = (
    "trace", "arms", "joint", "rewards", "cold", "job", "many",
    "memory", "decisions", "pulls", "controller", "ray", "gpu",
)  # fmt: skip
LATE = {"policies": "experiments.policies.cli:policies"}
"""Commands of other modules."""
Item = TypeVar("Item")


class Commands(click.Group):
    """A group that tells errors in one line, and imports the groups of other modules when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted([*super().list_commands(ctx), *LATE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name in LATE:
            module, _, attribute = LATE[cmd_name].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; exit status 1 where it failed, 2 where its input was bad."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            status = BAD_INPUT if isinstance(error, ExperimentError) else exit_status(error)
            if status is None:
                raise
            click.echo(f"experiments: {error_line(error)}", err=True)
            sys.exit(status)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="bandit-tracer", prog_name="experiments")
def main() -> None:
    """Measure explanations as the paper does, and measure how fast they are.

    Start with a rough run and take the limit off when it looks right:

    \b
      experiments localisation --arch resnet18 --checkpoint resnet18.pth --images imagenet --limit 40
      experiments speed --only trace,arms

    Data goes to stdout, progress to stderr. Exit status: 0 done, 1 failed, 2 bad usage or input.
    """  # noqa: D301 (click needs the character: it keeps the lines that follow as they are)
    logging.basicConfig(format="experiments: %(message)s")


@main.command()
@format_option
def methods(form: str) -> None:
    """List the attribution methods that can be compared."""
    from experiments.methods import METHODS

    _show([{"method": method.name, "library": method.library} for method in METHODS.values()], form)


COMPARING = (network_options, image_options, tracer_options, comparison_options, run_options, format_option)
"""Options of every command that compares methods, in the order of its help."""


def comparing(command: Command) -> Command:
    """The options of a command that compares methods."""
    for options in reversed(COMPARING):
        command = options(command)
    return command


@main.command()
@comparing
@tuning_options
@variant_options
@click.option(
    "--criterion",
    type=click.Choice(["iou-30", "iou-50", "iou-70", "maxboxacc", "mean-iou", "pointing"]),
    default="maxboxacc",
    show_default=True,
    help="What --tuned-on chooses by.",
)
@click.option("--iou", type=click.FloatRange(0, 1, min_open=True), default=0.5, show_default=True, help="IOU to reach.")
@click.option(
    "--threshold",
    "thresholds",
    type=click.FloatRange(0, 1, max_open=True),
    multiple=True,
    help="Cut maps at this share of their maximum (may be repeated); each method's best of nine without it.",
)
@click.option("--every-threshold", is_flag=True, help="Show every threshold instead of each method's best.")
def localisation(
    iou: float, thresholds: tuple[float, ...], every_threshold: bool, criterion: str, form: str, **options: Any
) -> None:
    """How well the boxes of the explanations overlap the objects.

    A map becomes a box around its largest patch above a share of its maximum; the tracer's points also become the
    tightest box around those that are no outliers. Shown: the share of images with IOU >= 0.5 and the mean IOU, each
    with its standard error, after the box around the whole image, which needs no network. Objects are large: compare
    with it. The best threshold is chosen on the same images and so flatters every method alike; --threshold fixes it.
    Differences are to the first method, on the same images.

    With --tuned-on and --evaluated-on every method's layer, blur and cut are chosen on some images and judged on
    others, each beside the first method: the difference on the same images with its 95% interval.
    """
    if _tuned(options):
        if thresholds or every_threshold:
            raise SettingError("--tuned-on chooses the cut: leave out --threshold and --every-threshold")
        present(_judged(criterion, (), options), form, None)
        return
    from experiments.drawn import THRESHOLDS
    from experiments.localisation import Localisation

    _compare(Localisation(thresholds or THRESHOLDS, options["target"], iou, every_threshold), form, options)


@main.command("pointing-game")
@comparing
@tuning_options
@variant_options
def pointing_game(form: str, **options: Any) -> None:
    """Whether the maximum of each map lies in a box of the object (Section 4.1.1), without tolerance.

    The baseline always points at the middle of the image. Maps of single pixels are blurred first. With --tuned-on and
    --evaluated-on each method's layer and blur are chosen on some images and judged on others.
    """
    if _tuned(options):
        present(_judged("pointing", ("pointing",), options), form, None)
        return
    from experiments.pointing_game import PointingGame

    _compare(PointingGame(options["target"]), form, options)


@main.command()
@comparing
@threshold_option
@click.option(
    "--curves/--no-curves",
    default=True,
    show_default=True,
    help="Insertion and deletion too: some 450 forward passes an image and method.",
)
@picture_option
def confidence(threshold: float, curves: bool, form: str, **options: Any) -> None:
    """Whether the network grows surer when only what was explained is left (Section 4.1.2).

    What lies outside is painted over: in the mean colour, blurred, or black. Shown: the share of images whose class
    grew more probable, the average drop, and how much of the image is kept. A large box loses little, so each method
    also keeps equally much: its box grown, or its map's highest pixels, to 25, 50 and 75% of the image. Insertion and
    deletion (Petsiuk et al. 2018) show and hide pixels in the order of the map, 224 at a time.
    """
    from experiments.confidence import Confidence

    _compare(Confidence(threshold, options["target"], curves), form, options)


@main.command()
@network_options
@image_options
@tracer_options
@methods_option
@run_options
@format_option
@threshold_option
@picture_option
def deepfool(threshold: float, form: str, **options: Any) -> None:
    """What becomes of the maps when DeepFool makes the network err (Section 4.3).

    Takes the images that the network gets right. Of each one fooled, the maps of the class before and of the class
    after are held side by side before and after the change: their ranks, their highest tenth, their boxes, and how much
    lies in the object. Beside it stands the control: random noise of the same norm, which fools nobody.
    """
    from experiments.deepfool import DeepFool

    _compare(DeepFool(threshold), form, options, labelled=True)


@main.command()
@comparing
@click.option(
    "--ids", metavar="A,B,...", callback=split_names, help="The images to show; the first of the sample without it."
)
@threshold_option
@picture_option
def gallery(threshold: float, form: str, **options: Any) -> None:
    """Draw the maps of all methods side by side, with boxes and ground truth, on one page (Figure 3).

    \b
      experiments gallery --arch resnet18 --images imagenet --limit 6 --pictures pictures
    """  # noqa: D301
    from experiments.gallery import Gallery

    _compare(Gallery(threshold, options["target"]), form, options)


@main.command()
@network_options
@image_options
@tracer_options
@click.option(
    "--beside", metavar="NAME", help="A second network: shown on the images that just one of the two gets right."
)
@click.option(
    "--beside-checkpoint", type=click.Path(path_type=Path), metavar="FILE", help="The second network's parameters."
)
@click.option("--beside-weights", type=click.Path(path_type=Path), metavar="FILE", help="Its weight file.")
@click.option("--per-image", is_flag=True, help="Give a row an image, with its classes, instead of the groups.")
@run_options
@format_option
@picture_option
def misclassified(
    per_image: bool,
    beside: str | None,
    beside_checkpoint: Path | None,
    beside_weights: Path | None,
    form: str,
    **options: Any,
) -> None:
    """Where the network looked when it was wrong (Section 4.4).

    Every image is traced for the class predicted and for its label. Of a wrong prediction whose two boxes share a place
    the object was seen and named wrongly; where they do not, the network looked elsewhere. With --beside two networks
    are held side by side on the images that one of them gets right and the other wrong (Figure 6).
    """
    from experiments.misclassified import run

    second = {"arch": beside, "checkpoint": beside_checkpoint, "weights": beside_weights}
    if per_image and beside:
        raise SettingError("--per-image is of one network: leave out --beside")
    present(run(options, second if beside else None, per_image=per_image), form, options["pictures"])


@main.command("cnn-fixations")
@network_options
@image_options
@run_options
@click.option(
    "--boxes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The published boxes: CSV of image,x0,y0,x1,y1.  [default: DIR/cnn_fixations_googlenet_boxes.csv]",
)
@click.option("--per-image", is_flag=True, help="Give a row an image instead of the figures over all.")
@format_option
def cnn_fixations(boxes: Path | None, per_image: bool, form: str, **options: Any) -> None:
    """Hold the tracer, set as CNN-Fixations, against the boxes its authors published for GoogLeNet.

    Runs their pipeline (five crops, outliers, tight box) with --arch networks.py:bvlc_googlenet and its checkpoint.
    agreement is the IOU with their boxes; success is IOU >= 0.5 with the object, ours and theirs on the same images.
    """
    from experiments.fixations import CnnFixations, read_boxes
    from experiments.methods import find_method
    from experiments.run import run

    published = read_boxes(boxes or options["images"] / "cnn_fixations_googlenet_boxes.csv")
    options |= {"weights": None, "location": None}
    result = run(CnnFixations(published), [find_method("cnn-fixations")], options)
    total, each = result.tables
    present(replace(result, tables=(each if per_image else total,)), form, None)


@main.command()
@network_options
@image_options
@tuning_options
@click.option("--depths", metavar="A,B,...", default="32,last 16,16", show_default=True, help="Maps that are read.")
@click.option("--spreads", metavar="A,B,...", default="8,16", show_default=True, help="Of their blur.")
@click.option(
    "--cuts", metavar="A,B,...", default="0.15,0.3,mass 0.5,mass 0.65", show_default=True, help="Of their boxes."
)
@click.option("--policies", is_flag=True, help="Show what the policies need, instead of what choices are worth.")
@click.option(
    "--pnpxai",
    type=click.IntRange(min=1),
    multiple=True,
    metavar="FORWARDS",
    help="Show what the race and PnPXAI's optimiser (if installed) choose for so many forward passes instead.",
)
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True, help="Of a policy or an optimiser.")
@work_options
@format_option
def rewards(
    depths: str,
    spreads: str,
    cuts: str,
    policies: bool,
    pnpxai: tuple[int, ...],
    runs: int,
    form: str,
    **options: Any,
) -> None:
    """Rewards held against each other: which settings each chooses, and what they are worth to the others.

    The arms are combinations of read-offs of excitation backpropagation. Every reward chooses one on the images of
    --tuned-on; every reward judges all choices on those of --evaluated-on, each difference with its paired 95%
    interval. --policies plays the policies on the same values instead, and counts the forward passes until their choice
    is within one point of the best for good; --pnpxai holds what the race chooses against what PnPXAI's optimiser does.
    An image takes about 70 forward passes; what was computed is kept.
    """
    from experiments.rewards import grid, reach, reached, transfer, transferred
    from experiments.run import gather_rewards

    arms = grid(depths.split(","), spreads.split(","), cuts.split(","))
    if pnpxai:
        from experiments.errors import SettingError
        from experiments.pnpxai import Optimiser, beside, compared

        if policies:
            raise SettingError("--policies and --pnpxai ask different things: give one of the two")
        optimiser = Optimiser.load()
    table, tuned = gather_rewards(arms, options)
    if pnpxai:
        rows = beside(optimiser, table, tuned, arms, pnpxai, runs, options["seed"])
        result = compared(list(_progress(rows, "choices")))
    elif policies:
        result = reached(list(_progress(reach(table, arms, runs, options["seed"]), "policies")))
    else:
        result = transferred(transfer(table, tuned, arms))
    present(result, form, None)


@main.command()
@click.option(
    "--only",
    metavar="A,B,...",
    default=",".join(SPEED_SECTIONS),
    help=f"Sections to run, of {', '.join(SPEED_SECTIONS)}; all without it (gpu where there is one).",
)
@click.option(
    "--checkpoints",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder with NAME.pth of architectures; random weights without it.",
)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder in ImageNet's layout; noise (and digits for Ray) without it.",
)
@click.option(
    "--arch",
    "architectures",
    metavar="A,B,...",
    default="resnet18,resnet50,vgg16,mobilenet_v2,efficientnet_b0",
    show_default=True,
    help="Networks, by torchvision's names.",
)
@click.option(
    "--methods",
    metavar="A,B,...",
    default="grad-cam,grad-cam++,torchcam,saliency,integrated-gradients,lrp-captum,lrp-zennit,excitation-backprop",
    show_default=True,
    help="Peers to time beside the tracer, of `experiments methods`.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=1),
    default=9,
    show_default=True,
    help="Pairs per figure, each on the next of the images.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random weights and noise.")
@limit_option
@format_option
def speed(only: str, architectures: str, methods: str, limit: int | None, form: str, **options: Any) -> None:
    """Measure the speeds the design asks for, on one thread, beside the peers in the same process.

    A network's figure is its processor time over that of a plain forward pass timed just before it; shown are the
    median, the least and the most of the pairs, whether the median meets its goal, and the machine's load. --limit N
    takes N pairs. Close other programs first: they share caches and memory, which no ratio forgives.
    """
    from experiments.speed.run import measure

    options["methods"] = frozenset(method.name for method in _methods(methods))
    sections = _names(only, SPEED_SECTIONS, "section")
    runs = min(limit or options["runs"], options["runs"])
    figures = measure(_progress(sections, "sections"), architectures.split(","), **{**options, "runs": runs})
    _show([figure.row() for figure in figures], form)


def _compare(experiment: "Answering", form: str, options: dict[str, Any], *, labelled: bool = False) -> None:
    """Run an experiment with the methods of the options, and show what it comes to."""
    from experiments.run import run

    labelled = labelled or options.get("target") == "label"
    result = run(experiment, _methods(options["methods"]), options, labelled=labelled)
    present(result, form, options.get("pictures"))


def _tuned(options: dict[str, Any]) -> bool:
    """Whether methods are to be tuned on some images and judged on others."""
    if options["tuned_on"] or options["evaluated_on"]:
        return True
    if options["sides"] or options["flip"]:
        raise SettingError("--input and --flip are for tuned methods: give --tuned-on and --evaluated-on")
    return False


def _judged(criterion: str, measures: Sequence[str], options: dict[str, Any]) -> "Result":
    """By which measures (all without any) each method did: tuned on some images, judged on others."""
    from experiments.run import run_tuned

    return run_tuned(criterion, measures, _methods(options["methods"]), options)


def _methods(text: str) -> "list[Method]":
    from experiments.methods import find_method

    return [find_method(name.strip()) for name in text.split(",")]


def _names(text: str, known: Sequence[str], what: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in known:
            raise ExperimentError(f"{what} {name!r} is unknown: choose of {', '.join(known)}")
    return names


def _progress(items: Iterable[Item], what: str) -> Iterable[Item]:
    """The items, counted on a bar on stderr where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    return track(items, what, console=Console(stderr=True), disable=not sys.stderr.isatty())


def _show(rows: Sequence[dict[str, Any]], form: str) -> None:
    from tuner.cli.output import show
    from tuner.results.table import Table

    show(Table(None, list(rows)), form)


for command in (localisation, pointing_game, confidence, deepfool, misclassified, cnn_fixations, rewards, gallery):
    report.add_command(command)
report.add_command(trust_report, "trust")
main.add_command(report)
main.add_command(trust)
