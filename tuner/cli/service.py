"""Commands that show the database to people: ``serve`` in a browser, ``top`` in a terminal."""

from pathlib import Path

import click

from tuner.cli.options import storage_option

PORT = 8200


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 for any free one.")
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="A further name of the server, as a proxy's."
)
@click.option("--root-path", default="", metavar="PATH", help="Path under which a proxy shows the server, as /tuner.")
@click.option("--control", is_flag=True, help="Let jobs be created, stopped and resumed.")
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --control: a folder that the paths of a job file may lie in; the first is where relative ones start.",
)
@click.option(
    "--allow-factory",
    "factories",
    multiple=True,
    metavar="MODULE:FACTORY",
    help="A network or explainer of your own that the service may load.",
)
@click.option("--address", metavar="URL", help="With --control: run jobs on the Ray cluster of this dashboard.")
@click.option(
    "--storage-env",
    metavar="NAME",
    default="TUNER_STORAGE",
    show_default=True,
    help="With --address: variable that holds the database's URL on the cluster.",
)
@storage_option
def serve(
    *,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    root_path: str,
    control: bool,
    roots: tuple[Path, ...],
    factories: tuple[str, ...],
    address: str | None,
    storage_env: str,
    storage: str,
) -> None:
    """Serve the API and the live pages.

    Only this machine can reach them, unless TUNER_TOKEN in the environment holds a token that every request must
    bring. Ctrl-C ends the server at once; jobs go on.
    """
    import os

    from storage.engine import Database
    from tuner.service.options import DIGITS, TOKEN, Control, Options
    from tuner.service.server import make_server

    if control and not roots:
        raise click.UsageError("--control needs --root DIR: the folder that job files may name files in")
    if (roots or address) and not control:
        raise click.UsageError("--root and --address go with --control")
    allowed = frozenset({DIGITS, *factories})
    resolved = tuple(root.resolve() for root in roots)
    options = Options(
        storage,
        host,
        os.environ.get(TOKEN) or None,
        frozenset(hosts),
        root_path,
        allowed,
        Control(resolved, allowed, address, storage_env) if control else None,
    )
    Database.open(storage).close()
    server = make_server(options, port)
    server.run()


@click.command()
@click.option(
    "--every", type=click.FloatRange(min=0.2), default=2.0, show_default=True, help="Seconds between two looks."
)
@click.option("--once", is_flag=True, help="Show it once; so it does where stdout is no terminal.")
@click.option("--jobs", "most", type=click.IntRange(1, 200), default=20, show_default=True, help="The newest so many.")
@storage_option
def top(every: float, most: int, storage: str, *, once: bool) -> None:
    """Every job with its progress, its leading arms and what was gained, again and again until Ctrl-C."""
    import time

    from rich.console import Console
    from rich.live import Live

    from storage.engine import Database
    from tuner.cli.overview import overview
    from tuner.service.answers import Answers
    from tuner.service.watch import Watch

    Database.open(storage).close()
    watch, console = Watch(storage, every), Console()
    answers = Answers(storage, watch)
    watch.refresh()
    if once or not console.is_terminal:
        console.width = console.width if console.is_terminal else 200
        console.print(overview(answers.jobs(None, None, most).jobs))
        return
    with Live(overview(answers.jobs(None, None, most).jobs), console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(every)
                watch.refresh()
                live.update(overview(answers.jobs(None, None, most).jobs), refresh=True)
        except KeyboardInterrupt:
            return
