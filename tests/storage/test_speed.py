"""The speeds that docs/database.md states; `python -m tests.storage.bench` prints the figures."""

from pathlib import Path

import pytest

from storage.engine import Database
from tests.storage.bench import arms_seconds, fill, record_rate, slowdown


def test_a_pull_is_recorded_in_less_than_a_fifth_of_a_millisecond(tmp_path: Path) -> None:
    with Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True) as database:
        rates = [record_rate(database, f"job-{i}", 8_000, 256) for i in range(3)]
    assert max(rate.served for rate in rates) >= 5_000


@pytest.mark.slow
def test_arms_of_one_job_among_ten_million_pulls_come_at_once(tmp_path: Path) -> None:
    fill(tmp_path / "tuner.db", jobs=100, pulls=100_000)
    with Database.open(f"sqlite:///{tmp_path}/tuner.db") as database:
        assert arms_seconds(database, "job-50") < 0.2


@pytest.mark.slow
def test_a_reader_of_a_million_pulls_slows_the_writer_by_at_most_a_third(tmp_path: Path) -> None:
    fill(tmp_path / "tuner.db", jobs=10, pulls=100_000)
    found = slowdown(f"sqlite:///{tmp_path}/tuner.db")
    assert found.reads > 0
    assert found.ratio >= 2 / 3
