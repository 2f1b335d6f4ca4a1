"""The API says what the database holds, as the commands do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from storage import leases, queries
from storage.engine import Database
from tests.tuner.fakes import make_dataset, make_spec
from tests.tuner.service.serving import RACE, add, asking
from tuner.cli.output import render
from tuner.play.lifecycle import create
from tuner.play.plan import make_plan
from tuner.results import export, tables
from tuner.service.options import Options


def pages(service: httpx.Client, path: str, key: str) -> Iterator[dict[str, Any]]:
    """All rows of an answer, page after page."""
    following: str | None = path
    while following:
        page = service.get(following).raise_for_status().json()
        yield from page[key]
        following = page["next"]


@pytest.fixture
def database(storage: str) -> Iterator[Database]:
    with Database.open(storage) as database:
        yield database


def test_jobs_come_newest_first_page_by_page(service: httpx.Client) -> None:
    assert [job["name"] for job in pages(service, "/jobs?limit=1", "jobs")] == ["waiting", "other", "race"]
    assert [job["name"] for job in service.get("/jobs?state=pending").json()["jobs"]] == ["waiting"]


def test_a_job_shows_its_bandits_and_what_was_gained(service: httpx.Client, database: Database) -> None:
    job = service.get("/jobs/race").json()
    with database.reading() as session:
        status = tables.status(session, "race")
    rows = json.loads(render(status.rows, "json"))
    assert job["check"] == rows[0]["check"]
    assert job["bandits"] == [{key: row[key] for key in row if key != "check"} for row in rows]
    assert [arm["candidate"] for arm in job["leading"]] == [row["winner"] for row in rows]
    assert job["budget"] == 3 * 2000
    assert job["notes"] == list(status.notes)


def test_arms_are_those_of_the_command(service: httpx.Client, database: Database) -> None:
    with database.reading() as session:
        rows = json.loads(render(tables.arms(session, "race").rows, "json"))
    for row in rows:
        row["mean_value"] = row.pop("mean_iou")  # types have the same fields whatever the reward
    assert list(pages(service, "/jobs/race/arms?limit=4", "arms")) == rows
    assert any(row["left_out"] for row in rows), "the race left an arm out"
    only = service.get("/jobs/race/arms", params={"setting": "cur", "top": 2}).json()["arms"]
    assert {arm["setting"] for arm in only} == {"cur"}
    assert len(only) == 2


def test_pages_of_pulls_hold_every_pull_once_and_newest_first(service: httpx.Client, database: Database) -> None:
    shown = list(pages(service, "/jobs/other/pulls?limit=7", "pulls"))
    with database.reading() as session:
        stored = list(queries.all_pulls(session, "other"))
    assert sorted((p["setting"], p["t"]) for p in shown) == sorted((p.setting, p.t) for p in stored)
    assert [p["at"] for p in shown] == sorted((p["at"] for p in shown), reverse=True)
    assert {p["setting"] for p in pages(service, "/jobs/other/pulls?setting=pre", "pulls")} == {"pre"}


def test_the_race_is_the_running_mean_of_an_arms_pulls(service: httpx.Client, database: Database) -> None:
    race = service.get("/jobs/race/race?setting=pre").json()
    with database.reading() as session:
        pulls = list(queries.all_pulls(session, "race", setting="pre"))
    for arm in race["arms"]:
        rewards = [pull.success for pull in pulls if pull.arm_id == arm["id"]]
        means = np.cumsum(rewards) / np.arange(1, len(rewards) + 1)
        assert arm["line"] == [[seen, pytest.approx(means[seen - 1])] for seen, _ in arm["line"]]
        assert arm["line"][-1] == [len(rewards), pytest.approx(arm["mean"])]


def test_images_on_which_half_of_the_arms_succeed_come_first(service: httpx.Client, database: Database) -> None:
    with database.reading() as session:
        arms = queries.arms(session, "race", setting="pre")
        known = queries.scores(session, "race", setting="pre")
    shown = list(pages(service, "/jobs/race/images?limit=9&" + "&".join(f"arm={arm.id}" for arm in arms), "images"))
    assert len(shown) == (~np.isnan(known.values)).sum(axis=1).__ge__(2).sum()
    assert [image["disagreement"] for image in shown] == sorted((i["disagreement"] for i in shown), reverse=True)
    for image in shown:
        scores = known.values[image["rank"]]
        share = np.mean(scores[~np.isnan(scores)] >= 0.5)
        assert image["disagreement"] == pytest.approx(4 * share * (1 - share))


def test_an_image_shows_every_score_and_the_pull_that_read_it(service: httpx.Client, database: Database) -> None:
    shown = list(pages(service, "/jobs/race/images/0?limit=4", "scores"))
    with database.reading() as session:
        known, pulls = queries.scores(session, "race"), list(queries.all_pulls(session, "race"))
    assert {s["arm_id"]: s["value"] for s in shown} == dict(
        zip((arm.id for arm in known.arms), known.values[0].tolist(), strict=True)
    )
    assert {(s["setting"], s["t"]) for s in shown if s["t"]} == {(p.setting, p.t) for p in pulls if p.image_rank == 0}
    assert service.get("/jobs/race/images/149").status_code == 200
    assert service.get("/jobs/race/images/150").status_code == 404


def test_a_job_compared_with_itself_has_gained_nothing(service: httpx.Client) -> None:
    pairs = service.get("/compare?first=race&second=race").json()["pairs"]
    assert pairs
    assert {(pair["difference"], pair["low"], pair["high"]) for pair in pairs} == {(0, 0, 0)}


def test_compared_jobs_are_paired_by_image(service: httpx.Client, database: Database) -> None:
    pairs = service.get("/compare?first=other&second=race").json()["pairs"]
    with database.reading() as session:
        ours, theirs = queries.scores(session, "other"), queries.scores(session, "race")
    names = {image.name: row for row, image in enumerate(theirs.images)}
    for pair in pairs:
        a = [arm.id for arm in ours.arms].index(pair["arm"])
        b = [arm.id for arm in theirs.arms].index(pair["other_arm"])
        both = [
            (ours.values[row, a] >= 0.5, theirs.values[names[image.name], b] >= 0.5)
            for row, image in enumerate(ours.images)
            if image.name in names and not np.isnan(ours.values[row, a] + theirs.values[names[image.name], b])
        ]
        assert pair["images"] == len(both)
        assert pair["difference"] == pytest.approx(np.mean([int(y) - int(x) for x, y in both]))


def test_the_weight_file_is_the_bytes_that_export_writes(
    service: httpx.Client, database: Database, tmp_path: Path
) -> None:
    with database.reading() as session:
        export.export(session, tmp_path / "race.yaml", name="race")
        export.export(session, tmp_path / "newest.yaml", architecture="fake")
    answer = service.get("/weights/fake")
    assert answer.content == (tmp_path / "newest.yaml").read_bytes()
    assert service.get("/jobs/race/weights").content == (tmp_path / "race.yaml").read_bytes()
    again = service.get("/weights/fake", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert service.get("/weights/fake", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/jobs/rac", 404, "did you mean 'race'?"),
        ("/jobs/waiting/weights", 404, "learned nothing final yet"),
        ("/weights/resnet18", 404, "there are jobs of fake"),
        ("/jobs?limit=0", 422, "limit"),
        ("/jobs/race/arms?limit=100000", 422, "limit"),
        ("/jobs/race/pulls?before=1", 422, "before"),
        ("/compare?first=race", 422, "second"),
        ("/nowhere", 404, "Not Found"),
    ],
)
def test_what_goes_wrong_is_a_problem_detail(service: httpx.Client, path: str, status: int, detail: str) -> None:
    answer = service.get(path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert detail in problem["detail"]


def test_an_answer_is_not_sent_again_until_its_job_changes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(url, create=True) as database:
        for name in ("one", "two"):
            create(database, make_plan(make_spec(name=name), make_dataset(50)))
        with asking(Options(url)) as service:
            tags = {
                path: service.get(path).headers["ETag"] for path in ("/jobs", "/jobs/one", "/jobs/two", "/view/one")
            }

            def changed() -> set[str]:
                return {
                    path
                    for path, tag in tags.items()
                    if service.get(path, headers={"If-None-Match": tag}).status_code == 200
                }

            assert not changed()
            with database.writing() as session:
                leases.request_stop(session, "one")
            while not changed():
                pass
            assert changed() == {"/jobs", "/jobs/one", "/view/one"}
            assert service.get("/jobs/one").json()["state"] == "stopped"


def test_an_answer_is_made_once_for_a_state_and_sent_to_whoever_asks(service: httpx.Client) -> None:
    first, again = (service.get("/view/race?round=1") for _ in range(2))
    assert first.content == again.content
    assert (first.status_code, first.headers) == (again.status_code, {**again.headers, "date": first.headers["date"]})
    assert 'route="kept",status="200"' in service.get("/metrics").text
    assert [service.get("/jobs/none").status_code for _ in range(2)] == [404, 404]


def test_a_database_that_went_away_is_a_problem_and_not_an_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db"
    Database.open(url, create=True).close()
    with asking(Options(url)) as service:
        assert service.get("/readyz").status_code == 200
        (tmp_path / "tuner.db").rename(tmp_path / "moved.db")
        answer = service.get("/jobs")
        assert answer.status_code == 503
        assert str(tmp_path) not in answer.text
        while service.get("/readyz").status_code == 200:
            pass
        assert service.get("/healthz").status_code == 200


def test_metrics_tell_requests_and_jobs(service: httpx.Client) -> None:
    service.get("/jobs/race")
    text = service.get("/metrics").text
    assert 'tuner_http_requests_total{method="GET",route="/jobs/{name}",status="200"}' in text
    assert 'tuner_jobs{state="finished"} 2.0' in text
    assert "race" in text


def test_values_of_another_reward_are_told_by_its_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tuner.db"
    with Database.open(url, create=True) as database:
        add(database, make_spec(name="sure", policy=RACE, check=0.3, reward={"kind": "confidence"}))
        add(database, make_spec(name="boxed"))
    with asking(Options(url)) as client:
        job = client.get("/jobs/sure").json()
        assert (job["reward"], job["check"]["confidence"], job["check"].get("whole_image")) == ("confidence", 0.5, None)
        assert all(arm["baseline"] is None for arm in client.get("/jobs/sure/arms").json()["arms"])
        page = client.get("/view/sure").text
        assert "as sure of its class, with the box alone, on" in page
        assert ">mean confidence</th>" in page
        for path in ("pulls", "images", "images/0"):
            assert "confidence</th>" in client.get(f"/view/sure/{path}").text
            assert "IOU" not in client.get(f"/view/sure/{path}").text
        compared = client.get("/compare?first=sure&second=boxed").json()
        assert "rewarded for different things: sure for confidence, boxed for iou" in compared["notes"][1]
        assert {pair["mean_value_difference"] for pair in compared["pairs"]} == {None}
