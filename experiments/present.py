"""How a command shows what an experiment came to. Light: nothing heavy is imported before a command runs."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.report.answers import Answers

if TYPE_CHECKING:
    from experiments.result import Result


def present(result: "Result", form: str, pictures: Path | None = None) -> None:
    """Show a result: its verdict and tables, or the rows of all tables alone; and write its pictures to a folder."""
    from tracer.files import write_atomically
    from tuner.cli.output import render, show

    context = click.get_current_context()
    if answers := context.find_object(Answers):
        answers.add(context, result)
        return
    for picture in result.pictures if pictures else ():
        assert pictures is not None
        path = pictures / f"{picture.title.lower().replace(' ', '-')}.png"
        write_atomically(path, picture.png, make_folder=True)
        click.echo(f"experiments: {path}", err=True)
    if form == "table":
        click.echo(result.verdict)
        for table in result.tables:
            show(table.merged(), form)
    else:
        click.echo(render(result.rows, form), nl=False)
