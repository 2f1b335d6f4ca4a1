"""The server of a study: uvicorn, which is told to note nobody."""

import logging
from pathlib import Path

import click
import uvicorn

from experiments.errors import SettingError
from experiments.trust.answers import FILE, Answers
from experiments.trust.app import make_app
from experiments.trust.study import load_study

_ANY = ("0.0.0.0", "::", "")
"""Hosts to listen at that are no name: every address of the machine."""


def serve(folder: Path, host: str, port: int, hosts: tuple[str, ...]) -> None:
    """Ask raters until the process is interrupted.

    Args:
        folder: The study's.
        host: Address to listen at.
        port: 0 for any that is free.
        hosts: Further names under which the server may be reached.

    Raises:
        SettingError: If it is to listen everywhere and no name is given under which it may be reached.
        StudyError: If the folder holds no study, or not the one that was made.
        AnswersError: If its answers cannot be used.
    """
    if host in _ANY and not hosts:
        raise SettingError(f"--host {host}: say under which name raters reach this machine (--allow-host NAME)")
    study = load_study(folder)
    names = hosts if host in _ANY else (host, *hosts)
    app = make_app(study, folder, Answers(folder / FILE, study.sha256), names)
    click.echo(
        f"experiments: give raters http://{names[0]}:{port}/ (Ctrl-C ends; answers stay in {folder / FILE})", err=True
    )
    uvicorn.run(app, host=host, port=port, log_level=logging.WARNING, access_log=False, server_header=False)
