"""A study, its answers, and a browser without a screen."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import uvicorn

from experiments.trust.answers import FILE, Answers
from experiments.trust.app import make_app
from experiments.trust.study import Study
from tests.experiments.trust.raters import hidden, make_study


class Forms:
    """A client that keeps the page it opened, and sends its form as a browser does."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self._action = ""
        self._hidden: dict[str, str] = {}

    def get(self, path: str) -> str:
        return self._open(self.client.get(path).text)

    def send(self, fields: dict[str, str]) -> str:
        return self._open(self.client.post(self._action, data=self._hidden | fields).text)

    def _open(self, text: str) -> str:
        if form := re.search(r'<form method="post" action="([^"]+)"', text):
            self._action, self._hidden = form[1], hidden(text)
        return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "study"


@pytest.fixture
def study(folder: Path) -> Study:
    return make_study(folder)


@pytest.fixture
def answers(folder: Path, study: Study) -> Iterator[Answers]:
    with closing(Answers(folder / FILE, study.sha256)) as answers:
        yield answers


@pytest.fixture
def site(folder: Path, study: Study, answers: Answers) -> Iterator[str]:
    """The address of a server of the study, in a thread."""
    config = uvicorn.Config(make_app(study, folder, answers), log_level="warning", access_log=False, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def client(site: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site, follow_redirects=True, timeout=30) as client:
        yield client


@pytest.fixture
def forms(client: httpx.Client) -> Forms:
    return Forms(client)
