"""``experiments trust``: a study of what people prefer. Nothing heavy is imported before a command runs."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from experiments.errors import ExperimentError
from experiments.options import image_options, seen_options, work_options
from experiments.present import present
from tuner.cli.options import format_option

if TYPE_CHECKING:
    from experiments.trust.answers import Rater
    from experiments.trust.study import Study

PORT = 8300

Command = TypeVar("Command", bound=Callable[..., Any])


def study_argument(command: Command) -> Command:
    """``STUDY``: the folder of one that was made."""
    return click.argument("folder", metavar="STUDY", type=click.Path(exists=True, file_okay=False, path_type=Path))(
        command
    )


@click.group()
def trust() -> None:
    """Ask people which map describes the object best, and how reliable each map is (Section 4.2).

    \b
      experiments trust create study --arch resnet18 --arch resnet50 --images imagenet --trials 20
      experiments trust serve study
      experiments trust report study

    It measures preference, not faithfulness.
    """  # noqa: D301 (click needs the character: it keeps the lines that follow as they are)


@trust.command()
@click.argument("folder", metavar="STUDY", type=click.Path(path_type=Path))
@click.option(
    "--arch",
    "archs",
    required=True,
    multiple=True,
    metavar="NAME",
    help="A network to compare (repeat it): torchvision's, or your own: package.module:factory or FILE.py:factory.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A state_dict file for each --arch, in the same order; torchvision's default weights without any.",
)
@click.option(
    "--weights",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A weight file of the tracer, used for the network that it names.",
)
@click.option(
    "--methods",
    metavar="A,B,...",
    default="tracer",
    show_default=True,
    help="The methods of every network; `experiments methods` lists them.",
)
@image_options
@click.option(
    "--trials", type=click.IntRange(1, 1000), default=58, show_default=True, help="Images to rate (58 in the paper)."
)
@click.option("--practice", type=click.IntRange(0, 100), default=2, show_default=True, help="Images to practise on.")
@click.option(
    "--attention", type=click.IntRange(0, 100), default=2, show_default=True, help="Images that say what to answer."
)
@click.option(
    "--sheets", type=click.IntRange(1, 1000), default=12, show_default=True, help="Orders that raters take turns among."
)
@click.option("--contact", default="", metavar="TEXT", help="Whom raters may ask; shown on every page.")
@seen_options
@work_options
def create(
    folder: Path,
    methods: str,
    trials: int,
    practice: int,
    attention: int,
    sheets: int,
    contact: str,
    **options: Any,
) -> None:
    """Make a study in the new folder STUDY and freeze it: pictures, orders, sides, seed, and hashes of all.

    Every trial shows an image that every network gets right, with a map of each network and method, all drawn alike
    and named A, B, ...
    """
    from experiments.methods import find_method
    from experiments.trust.create import Plan, freeze

    plan = Plan(trials, practice, attention, sheets)
    study = freeze(folder, plan, [find_method(name.strip()) for name in methods.split(",")], options, contact)
    names = ", ".join(condition.name for condition in study.conditions)
    click.echo(f"experiments: {folder}: {names}; {len(study.trials)} trials, {sheets} sheets", err=True)


@trust.command()
@study_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="A further name of the server.")
def serve(folder: Path, host: str, port: int, hosts: tuple[str, ...]) -> None:
    """Ask raters in their browsers, who agree first; Ctrl-C ends it.

    Only this machine can reach it, unless --host says otherwise. For raters elsewhere put a proxy with TLS before it,
    which passes on the header Host, and name that host (--allow-host).
    """
    try:
        from experiments.trust import server
    except ModuleNotFoundError as error:
        raise ExperimentError(
            f"experiments trust serve needs {error.name}: pip install 'bandit-tracer[serve]'"
        ) from error
    server.serve(folder, host, port, hosts)


@trust.command()
@study_argument
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the bootstrap.")
@click.option("--everyone", is_flag=True, help="Count raters too who failed more than half of the attention trials.")
@format_option
def report(folder: Path, seed: int, everyone: bool, form: str) -> None:
    """What raters preferred and how sure that is: votes, reliability, agreement.

    Intervals are a bootstrap over raters and images; the test flips the signs of raters; agreement is Krippendorff's
    alpha. It says what people prefer, not what is faithful to the network.
    """
    from experiments.trust.report import report as report_study

    present(report_study(*_study(folder), seed, everyone=everyone), form)


@trust.command()
@study_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; stdout without it.")
def export(folder: Path, output: Path | None) -> None:
    """Write all answers as CSV with jsPsych's names of columns, a row an answer."""
    from experiments.trust.export import jspsych_rows
    from tracer.files import write_atomically
    from tuner.cli.output import render

    content = render(jspsych_rows(*_study(folder)), "csv")
    if output is None:
        click.echo(content, nl=False)
    else:
        write_atomically(output, content.encode())


@trust.command()
@study_argument
@click.argument("link")
def withdraw(folder: Path, link: str) -> None:
    """Delete the answers of the rater who has LINK (or what stands at its end); the page of the link can do so too."""
    from contextlib import closing

    from experiments.trust.answers import FILE, Answers
    from experiments.trust.study import load_study

    with closing(Answers(folder / FILE, load_study(folder).sha256)) as answers:
        if not answers.withdraw(link.rstrip("/").rpartition("/")[2]):
            raise ExperimentError("no rater has this link: it is mistyped, or its answers were deleted before")


def _study(folder: Path) -> "tuple[Study, list[Rater]]":
    """A study, and its raters with what they answered."""
    from contextlib import closing

    from experiments.trust.answers import FILE, Answers
    from experiments.trust.study import load_study

    study = load_study(folder)
    with closing(Answers(folder / FILE, study.sha256)) as answers:
        return study, answers.all()
