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
    from tuner.errors import SpecError

    try:
        from tuner.service.options import DIGITS, TOKEN, Control, Options
        from tuner.service.server import make_server
    except ModuleNotFoundError as error:
        raise SpecError(f"tuner serve needs {error.name}: pip install 'bandit-tracer[serve]'") from error
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
