"""The stream of changes, and how a server ends."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx

from storage import leases, queries
from storage.engine import Database
from storage.records import NewScore, record
from tests.tuner.fakes import make_dataset, make_spec
from tests.tuner.service.serving import asking, serving, wait
from tuner.play.lifecycle import create
from tuner.play.plan import make_plan
from tuner.service.options import Options
from tuner.service.watch import Watch


def new_database(folder: Path, *names: str) -> str:
    url = f"sqlite:///{folder}/tuner.db"
    with Database.open(url, create=True) as database:
        for name in names:
            create(database, make_plan(make_spec(name=name), make_dataset(50)))
    return url


def revisions(stream: httpx.Response) -> Iterator[str]:
    """What the stream tells, without end."""
    return (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: "))


def test_a_stream_tells_the_state_now_and_every_change_of_its_job(tmp_path: Path) -> None:
    url = new_database(tmp_path, "one", "two")
    with (
        asking(Options(url)) as service,
        Database.open(url) as database,
        service.stream("GET", "/changes?job=one") as stream,
    ):
        told = revisions(stream)
        first = next(told)
        page = service.get("/view/one").text
        assert f'<meta name="revision" content="{first}">' in page, "the page knows which state it shows"
        for name in ("two", "one"):
            with database.writing() as session:
                leases.request_stop(session, name)
        assert next(told) != first
        assert service.get("/view/one").text.count("stopped")


def test_a_page_that_was_kept_is_made_anew_for_a_score_without_a_pull(tmp_path: Path) -> None:
    url = new_database(tmp_path, "one")
    with asking(Options(url)) as service, Database.open(url) as database:
        with database.writing() as session:
            lease = leases.acquire(session, "one", "host:1", seconds=3600)
        wait(lambda: service.get("/jobs/one").json()["state"] == "running")
        kept = [service.get("/jobs/one/images/0").json()["scores"] for _ in range(2)]
        assert kept == [[], []]
        with database.reading() as session:
            arm, image = queries.arms(session, "one")[0], queries.images(session, "one")[0]
        with database.writing() as session:
            record(session, lease, [NewScore(arm.id, image.id, 0.75)])
        wait(lambda: [one["value"] for one in service.get("/jobs/one/images/0").json()["scores"]] == [0.75])


def test_a_stream_of_all_jobs_tells_of_a_new_one(tmp_path: Path) -> None:
    url = new_database(tmp_path, "one")
    with asking(Options(url)) as service, service.stream("GET", "/changes") as stream:
        told = revisions(stream)
        first = next(told)
        new_database(tmp_path, "two")
        assert next(told) != first


def test_a_server_ends_though_streams_are_open(storage: str) -> None:
    ended = threading.Event()

    def follow(url: str) -> None:
        with httpx.stream("GET", f"{url}/changes", timeout=60) as stream:
            for _ in stream.iter_lines():
                pass
        ended.set()

    with serving(Options(storage)) as url:
        for _ in range(3):
            threading.Thread(target=follow, args=(url,), daemon=True).start()
        while "tuner_streams 3.0" not in httpx.get(f"{url}/metrics").text:
            pass
    assert ended.wait(30)


def test_a_server_that_ends_waits_for_a_look_under_way(storage: str) -> None:
    """Else its connection would be left open: what runs in a thread is not cancelled."""
    watch, begun, go_on = Watch(storage, 1.0), threading.Event(), threading.Event()

    def wait() -> str:
        begun.set()
        go_on.wait()
        return ""

    watch.watch_also(wait)
    look = threading.Thread(target=watch.refresh)
    look.start()
    begun.wait()
    end = threading.Thread(target=watch.dispose)
    end.start()
    end.join(0.1)
    assert end.is_alive()
    go_on.set()
    for thread in (look, end):
        thread.join(30)
        assert not thread.is_alive()


def test_a_database_that_was_replaced_under_the_server_is_read_anew(tmp_path: Path) -> None:
    url = new_database(tmp_path, "old")
    with asking(Options(url)) as service:
        assert service.get("/jobs/old").status_code == 200
        for file in tmp_path.glob("tuner.db*"):
            file.rename(tmp_path / f"away-{file.name}")
        wait(lambda: service.get("/readyz").status_code == 503, 1000)
        new_database(tmp_path, "new")
        wait(lambda: service.get("/readyz").status_code == 200, 1000)
        wait(lambda: service.get("/jobs/new").status_code == 200, 1000)
        assert service.get("/jobs/old").status_code == 404
