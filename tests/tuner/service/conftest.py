"""One server and one database for the tests that only read."""

from collections.abc import Iterator

import httpx
import pytest

from tests.tuner.service.serving import asking, fill
from tuner.service.options import Options


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('service')}/tuner.db"
    fill(url)
    return url


@pytest.fixture(scope="session")
def service(storage: str) -> Iterator[httpx.Client]:
    """A client of a server without a token and without control."""
    with asking(Options(storage)) as client:
        yield client
