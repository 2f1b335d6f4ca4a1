"""Commands that ask the database about arms and pulls."""

from pathlib import Path

import click

from tuner.cli.options import format_option, storage_option
from tuner.cli.output import show

setting_option = click.option("--setting", help="Only the bandit of this setting; joint, of a joint search.")
round_option = click.option("--round", "round_", type=click.IntRange(min=1), help="Only this round.")


@click.command()
@click.argument("name")
@setting_option
@round_option
@storage_option
@format_option
def arms(name: str, setting: str | None, round_: int | None, storage: str, form: str) -> None:
    """The arms of a job: candidate, pulls, successes, mean with its 95% interval, mean value, whether it may be best.

    Reads counters only, so it answers at once however many pulls there are, and while the job runs.
    """
    from storage.engine import Database
    from tuner.results import tables

    with Database.open(storage) as database, database.reading() as session:
        show(tables.arms(session, name, setting, round_), form)


@click.command()
@click.argument("name")
@setting_option
@round_option
@storage_option
@format_option
def pulls(name: str, setting: str | None, round_: int | None, storage: str, form: str) -> None:
    """Every pull of a job: which arm, on which image, the value it read, when."""
    from storage.engine import Database
    from tuner.results import tables
    from tuner.results.table import Table

    with Database.open(storage) as database, database.reading() as session:
        show(Table(f"{name}: pulls", list(tables.pulls(session, name, setting, round_))), form)


@click.command()
@click.argument("first")
@click.argument("second")
@storage_option
@format_option
def compare(first: str, second: str, storage: str, form: str) -> None:
    """The arms that two jobs have in common, side by side (difference: second minus first)."""
    from storage.engine import Database
    from tuner.results import tables

    with Database.open(storage) as database, database.reading() as session:
        show(tables.compare(session, first, second), form)


@click.command()
@click.argument("name")
@click.option("--policy", required=True, help="ucb1, ucb-tuned, kl-ucb, thompson, uniform or race.")
@click.option("--budget", type=click.IntRange(min=1), help="Pulls per bandit; the job's unless given.")
@click.option(
    "--at", "--iou", "at", type=click.FloatRange(0, 1, min_open=True),
    help="The value a success needs (an IOU, say); the job's unless given.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="The job's unless given.")
@storage_option
@format_option
def replay(
    name: str, policy: str, budget: int | None, at: float | None, seed: int | None, storage: str, form: str
) -> None:
    """Ask what another policy would have come to: play a finished job's stored scores again under it.

    A replay explains and scores no image anew, so it takes seconds, and it changes nothing in the database: the policy
    pulls arms as in a job, and each pull reads the score that the job stored. With --budget, --at or --seed another
    number of pulls, threshold or order of choices is tried in the same way.

    Images on which an arm has no score are left out and counted. A job with `policy: {kind: uniform}` and a budget of
    arms times images leaves none out.
    """
    from storage.engine import Database
    from tuner.results.rerun import replay as rerun

    with Database.open(storage) as database, database.reading() as session:
        show(rerun(session, name, policy, budget=budget, at=at, seed=seed), form)


@click.command()
@click.argument("name")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A PNG, SVG or PDF file.",
)
@storage_option
def plot(name: str, output: Path, storage: str) -> None:
    """Draw a job: arms with intervals, their race, when each was pulled; winner, base and arms that are out marked."""
    from storage.engine import Database
    from tuner.results.plots import draw

    with Database.open(storage) as database, database.reading() as session:
        draw(session, name, output)
    click.echo(str(output))


@click.command()
@click.argument("name", required=False)
@click.option("--arch", help="The newest finished job of this architecture, in place of a name.")
@click.option(
    "-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The weight file to write."
)
@storage_option
def export(name: str | None, arch: str | None, output: Path, storage: str) -> None:
    """Write what a job learned as a weight file, which `tracer explain --weights` takes."""
    if (name is None) == (arch is None):
        raise click.UsageError("give the name of a job, or --arch")
    from storage.engine import Database
    from tuner.results.export import export as write

    with Database.open(storage) as database, database.reading() as session:
        written = write(session, output, name=name, architecture=arch)
    click.echo(str(output))
    if arch is not None:
        others = f"there are also {', '.join(written.others)}: name one in place of --arch"
        beside = f"the newest finished one; {others}" if written.others else "the only finished one of its architecture"
        click.echo(f"weights of job {written.job}, {beside}", err=True)
    if written.warning is not None:
        click.echo(f"warning: {written.warning}", err=True)


@click.command()
@click.argument("name")
@click.option("--to", required=True, metavar="URL", help="Database of the study, sqlite:///FILE or postgresql://...")
@storage_option
def mirror(name: str, to: str, storage: str) -> None:
    r"""Write a job as an Optuna study of the same name, for optuna-dashboard and Optuna's own tools.

    A trial stands for an arm that was pulled: its parameters are the settings that the job tunes, as the arm traces
    with them, its value is the arm's mean reward, and its user attributes hold pulls, successes, the 95% interval
    (low, high) and the rest of `tuner arms`. The study lives in a database of its own. Run it again at any time, also
    while the job runs: the study is replaced by what is known now.

    \b
    Example:
      tuner mirror resnet18-joint --to sqlite:///optuna.db
      optuna-dashboard sqlite:///optuna.db        # pip install optuna-dashboard
    """
    from storage.engine import Database
    from storage.urls import masked, parse_url
    from tuner.results.mirror import make_study, write

    with Database.open(storage) as database, database.reading() as session:
        job = make_study(session, name)
    write(job, to)
    click.echo(masked(parse_url(to)))
    click.echo(f"study {name!r} has {len(job.trials)} trials; look at it with `optuna-dashboard URL`", err=True)
