"""A study, its answers, and a browser without a screen."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from experiments.trust.answers import FILE, Answers
from experiments.trust.app import make_app
from experiments.trust.study import Study
from tests.experiments.trust.raters import hidden, make_study


class Forms:
    """A client that keeps the page it opened, and sends its form as a browser does."""

    def __init__(self, client: TestClient) -> None:
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
def client(folder: Path, study: Study, answers: Answers) -> Iterator[TestClient]:
    with TestClient(make_app(study, folder, answers), base_url="http://127.0.0.1:8300") as client:
        yield client


@pytest.fixture
def forms(client: TestClient) -> Forms:
    return Forms(client)
