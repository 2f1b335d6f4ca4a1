"""A job's checks, while Ray starts."""

import threading
from pathlib import Path

import pytest

from tests.tuner.fakes import make_spec
from tracer.errors import UnsupportedArchitectureError
from tuner.datasets import Dataset
from tuner.errors import DatasetError, WorkerError
from tuner.play import lifecycle, prepare
from tuner.play.plan import Plan, make_plan
from tuner.spec.job import JobSpec
from tuner.workers import actors

TOLD: list[str] = []


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray and the checks that need a network only say in which thread they are."""
    TOLD.clear()

    def start(spec: JobSpec) -> None:
        TOLD.append("Ray in this thread" if threading.current_thread() is threading.main_thread() else "Ray elsewhere")

    def check(spec: JobSpec, dataset: Dataset) -> Plan:
        TOLD.append("checks")
        return make_plan(spec, dataset)

    monkeypatch.setattr(actors, "start_ray", start)
    monkeypatch.setattr(prepare, "prepare", check)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_ray_is_started_from_the_thread_that_asks() -> None:
    plan = lifecycle.check(make_spec())
    assert plan.spec == make_spec()
    assert sorted(TOLD) == ["Ray in this thread", "checks"]


def test_without_ray_none_is_started() -> None:
    lifecycle.check(make_spec(), ray=False)
    assert TOLD == ["checks"]


def test_on_a_cluster_the_checks_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    lifecycle.check(make_spec())
    assert TOLD == ["checks"]


def test_bad_images_are_told_before_ray_is_started(tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        lifecycle.check(make_spec(dataset={"kind": "csv", "root": str(tmp_path / "none.csv")}))
    assert TOLD == []


@pytest.mark.parametrize("bad_job", [True, False])
def test_what_is_wrong_with_the_job_comes_before_what_is_wrong_with_ray(
    monkeypatch: pytest.MonkeyPatch, bad_job: bool
) -> None:
    def start(_: JobSpec) -> None:
        raise WorkerError("Ray does not start")

    def refuse(*_: object) -> None:
        raise UnsupportedArchitectureError("no CNN")

    monkeypatch.setattr(actors, "start_ray", start)
    if bad_job:
        monkeypatch.setattr(prepare, "prepare", refuse)
    with pytest.raises(UnsupportedArchitectureError if bad_job else WorkerError):
        lifecycle.check(make_spec())
