"""``experiments report``: several experiments, one after another, on one page."""

from pathlib import Path
from typing import Any

import click

from experiments.report.answers import Answers


@click.group(chain=True, subcommand_metavar="EXPERIMENT [OPTIONS]... [EXPERIMENT [OPTIONS]...]...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML file to write.",
)
@click.pass_context
def report(context: click.Context, output: Path) -> None:  # noqa: ARG001 (the result callback takes it)
    """Run experiments, and write what they came to as one HTML file, which opens anywhere without network or script.

    Name the experiments one after another, each with its own options, as on a command line of its own. What was
    recorded of an image before is read, and not computed again.

    \b
    Example:
      experiments report -o report.html \\
        localisation --arch resnet18 --images imagenet --limit 40 \\
        pointing-game --arch resnet18 --images imagenet --limit 40
    """  # noqa: D301 (click needs the character: it keeps the lines that follow as they are)
    context.obj = Answers()


@report.result_callback()
@click.pass_obj
def _write(answers: Answers, _: list[Any], output: Path) -> None:
    from experiments.report.page import write

    write(answers.answers, output)
    click.echo(str(output))
