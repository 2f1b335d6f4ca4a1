"""Options that the commands share. Light: nothing heavy is imported before a command runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_KINDS = ("imagenet", "voc", "voc_segmentation", "coco", "yolo", "open_images", "imagefolder", "parquet", "csv")


def _all(options: list[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def network_options(command: Command) -> Command:
    """``--arch`` and ``--checkpoint``."""
    return _all(
        [
            click.option(
                "--arch",
                required=True,
                metavar="NAME",
                help="A torchvision classifier, timm:NAME, hf-hub:NAME, package.module:factory or FILE.py:factory.",
            ),
            click.option(
                "--checkpoint",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="A state_dict file, also as .safetensors; the default weights without it.",
            ),
        ],
        command,
    )


def image_options(command: Command) -> Command:
    """``--images``, ``--kind``, ``--limit`` and ``--seed``."""
    return _all(
        [
            click.option(
                "--images",
                required=True,
                type=click.Path(path_type=Path),
                metavar="DIR",
                help="The data set's folder (see --kind).",
            ),
            click.option(
                "--kind",
                type=click.Choice(_KINDS),
                default="imagenet",
                show_default=True,
                help="The data set's layout.",
            ),
            limit_option,
            click.option(
                "--seed",
                type=click.IntRange(min=0),
                default=0,
                show_default=True,
                help="Seed of the permutation of the images; --limit takes its first.",
            ),
        ],
        command,
    )


def limit_option(command: Command) -> Command:
    """``--limit N``."""
    return click.option(
        "--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N images: a quick, rough run."
    )(command)


def tracer_options(command: Command) -> Command:
    """``--weights`` and ``--location``."""
    return _all(
        [
            click.option(
                "--weights",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="The tracer's weight file, from `tuner export`; the defaults without it.",
            ),
            click.option(
                "--location",
                type=click.Choice(["peak", "center", "field"]),
                help="Where the tracer follows a convolution; the weight file's, or field.",
            ),
        ],
        command,
    )


def methods_option(command: Command) -> Command:
    """``--methods``."""
    return click.option(
        "--methods",
        metavar="A,B,...",
        default="tracer,grad-cam,grad-cam++,saliency,lrp-zennit",
        show_default=True,
        help="Methods side by side; differences are to the first. `experiments methods` lists them.",
    )(command)


def comparison_options(command: Command) -> Command:
    """``--methods`` and ``--target``."""
    target = click.option(
        "--target",
        type=click.Choice(["predicted", "label"]),
        default="predicted",
        show_default=True,
        help="The class to explain.",
    )
    return methods_option(target(command))


def threshold_option(command: Command) -> Command:
    """``--threshold``."""
    return click.option(
        "--threshold",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.2,
        show_default=True,
        help="Cut maps at this share of their maximum.",
    )(command)


def split_names(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Names that commas separate."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def run_options(command: Command) -> Command:
    """``--repeat``, and what :func:`seen_options` and :func:`work_options` have."""
    repeat = click.option(
        "--repeat",
        type=click.IntRange(1, 1000),
        default=1,
        show_default=True,
        help="Draw --limit images so often and average, as the paper does (3 draws of 2501).",
    )
    return repeat(seen_options(work_options(command)))


def seen_options(command: Command) -> Command:
    """``--unseen`` and ``--allow-seen``."""
    return _all(
        [
            click.option(
                "--unseen", is_flag=True, help="Leave out the images that a method's settings were learned on."
            ),
            click.option("--allow-seen", is_flag=True, help="Judge on them too; every table then says on how many."),
        ],
        command,
    )


def work_options(command: Command) -> Command:
    """``--jobs`` and ``--cache``."""
    return _all(
        [
            click.option(
                "--jobs",
                type=click.IntRange(1, 256),
                default=1,
                show_default=True,
                help="Processes to explain images in.",
            ),
            click.option(
                "--cache",
                type=click.Path(dir_okay=False, path_type=Path),
                metavar="FILE",
                help="What was recorded of each image, to go on from.  [default: in the user's cache folder]",
            ),
        ],
        command,
    )


def picture_option(command: Command) -> Command:
    """``--pictures DIR``."""
    return click.option(
        "--pictures", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write the pictures there."
    )(command)


class ImageRange(click.ParamType[range]):
    """Images of a data set by their places in it, ``A-B``, from 1, both included."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """The places from 0."""
        if isinstance(value, range):
            return value
        first, _, last = str(value).partition("-")
        if first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last):
            return range(int(first) - 1, int(last))
        return self.fail(f"{value!r} is no range of images: write A-B, such as 1-200", param, ctx)


def tuning_options(command: Command) -> Command:
    """``--tuned-on`` and ``--evaluated-on``."""
    return _all(
        [
            click.option(
                "--tuned-on",
                type=ImageRange(),
                metavar="A-B",
                help="Choose each method's layer, blur and cut on these images, counted in the data set's order.",
            ),
            click.option(
                "--evaluated-on",
                type=ImageRange(),
                metavar="A-B",
                help="Judge every method on these; none may be among those it was tuned on.",
            ),
        ],
        command,
    )


def variant_options(command: Command) -> Command:
    """``--input`` and ``--flip``."""
    return _all(
        [
            click.option(
                "--input",
                "sides",
                type=click.IntRange(1, 4096),
                multiple=True,
                metavar="PIXELS",
                help="With --tuned-on: make maps at this height and width (repeat it); at the network's own without.",
            ),
            click.option(
                "--flip", is_flag=True, help="With --tuned-on: offer the mean with the mirror image's map as well."
            ),
        ],
        command,
    )
