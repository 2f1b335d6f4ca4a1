"""How fast the database takes and gives: `python -m tests.storage.bench (record | postgresql | reader | arms)...`."""

import multiprocessing
import multiprocessing.sharedctypes
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from sqlalchemy import func, select

from storage import queries, records
from storage.engine import Database, upgrade
from storage.models import Pull, Score
from storage.records import NewPull, NewScore
from tests.storage.jobs import THRESHOLD, Running, new_job, run
from tests.storage.postgres import Server, binaries

ELEVEN = tuple(round(0.1 * i, 1) for i in range(11))


def work(running: Running, rng: np.random.Generator) -> Iterator[tuple[NewScore, NewPull]]:
    """Every arm on every image, image by image, each with its score."""
    trials = dict.fromkeys((arm.bandit_id for arm in running.arms), 0)
    for image in running.images:
        for arm, iou in zip(running.arms, rng.random(len(running.arms)).tolist(), strict=True):
            trials[arm.bandit_id] += 1
            yield (
                NewScore(arm.id, image.id, iou),
                NewPull(arm.bandit_id, trials[arm.bandit_id], arm.id, image.id, iou, iou >= THRESHOLD),
            )


def queued() -> float:
    """Seconds that this thread was ready to run and other programs of the machine ran instead (Linux; else 0)."""
    path = Path("/proc/thread-self/schedstat")
    return int(path.read_text().split()[1]) / 1e9 if path.exists() else 0.0


@dataclass(frozen=True)
class Rate:
    """Pulls recorded a second: by the clock, and without the time in which other programs held the processors."""

    wall: float
    served: float


def record_rate(database: Database, name: str, pulls: int, batch: int) -> Rate:
    """How fast pulls are recorded with their scores, ``batch`` of them in a commit."""
    running = run(database, new_job(name, images=-(-pulls // 33), values=ELEVEN), seconds=3600.0)
    pairs = list(work(running, np.random.default_rng(0)))[:pulls]
    begin, waited = time.perf_counter(), queued()
    for start in range(0, pulls, batch):
        scores, chosen = zip(*pairs[start : start + batch], strict=True)
        with database.writing() as session:
            records.record(session, running.lease, scores, chosen)
    wall = time.perf_counter() - begin
    return Rate(pulls / wall, pulls / (wall - (queued() - waited)))


def fill(path: Path, jobs: int, pulls: int, first: int = 1) -> None:
    """Fill an SQLite database with jobs of that many pulls each, every arm on every image, straight into its tables.

    Args:
        path: The database's.
        jobs: How many.
        pulls: Of each.
        first: Number of the first; where it is more than 1, there are jobs before it.
    """
    upgrade(f"sqlite:///{path}")
    with sqlite3.connect(path) as db:
        db.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000")
        for i in range(first, first + jobs):
            images = -(-pulls // 33)
            db.execute(
                "INSERT INTO job (id, name, spec, seed, threshold, state, stop_requested, created, epoch, versions,"
                " baseline, images, quarantined) VALUES (?, ?, '{}', 0, 0.5, 'finished', 0, 0.0, 1, '{}', '{}', ?, 0)",
                (i, f"job-{i}", images),
            )
            db.execute(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :images)"
                " INSERT INTO image (job_id, rank, name, failures, quarantined) "
                " SELECT :job, i, 'image-' || i, 0, 0 FROM n",
                {"images": images, "job": i},
            )
            for setting in ("cur", "suc", "pre"):
                bandit = db.execute(
                    "INSERT INTO bandit (job_id, round, setting, base) VALUES (?, 1, ?, '{}')", (i, setting)
                ).lastrowid
                db.executemany(
                    "INSERT INTO arm (bandit_id, rank, candidate, pulls, successes, value_sum)"
                    " VALUES (?, ?, ?, 0, 0, 0)",
                    [(bandit, rank, str(value)) for rank, value in enumerate(ELEVEN)],
                )
            # the IOU is a made-up multiple of 1/512, which sums exactly
            db.execute(
                "INSERT INTO score SELECT arm.id, image.id, ((image.id * 37 + arm.id * 91) % 512) / 512.0"
                " FROM bandit JOIN arm ON arm.bandit_id = bandit.id JOIN image ON image.job_id = bandit.job_id"
                " WHERE bandit.job_id = ? ORDER BY arm.id, image.id",
                (i,),
            )
            db.execute(
                "INSERT INTO pull"
                " SELECT bandit.id, image.rank * 11 + arm.rank + 1, arm.id, image.id, score.value >= 0.5, 0.0"
                " FROM bandit JOIN image ON image.job_id = bandit.job_id JOIN arm ON arm.bandit_id = bandit.id"
                " JOIN score ON score.arm_id = arm.id AND score.image_id = image.id"
                " WHERE bandit.job_id = ? ORDER BY bandit.id, image.rank, arm.rank",
                (i,),
            )
            db.execute(
                "UPDATE arm SET (pulls, successes, value_sum) ="
                " (SELECT count(*), sum(value >= 0.5), sum(value) FROM score"
                " WHERE arm_id = arm.id) WHERE bandit_id IN (SELECT id FROM bandit WHERE job_id = ?)",
                (i,),
            )
            db.commit()


def arms_seconds(database: Database, name: str) -> float:
    """The median time of ten `arms` queries, each in a session of its own."""
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        with database.reading() as session:
            rows = queries.arms(session, name)
        times.append(time.perf_counter() - begin)
        assert len(rows) == 33
    return statistics.median(times)


def read_on(url: str, go: Event, idle: Event, reads: "multiprocessing.sharedctypes.Synchronized[int]") -> None:
    """Aggregate every pull with its score, over and over while told to; ends when ``reads`` is negative."""
    with Database.open(url) as database:
        while reads.value >= 0:
            idle.set()
            if not go.wait(0.1):
                continue
            idle.clear()
            with database.reading() as session:
                session.execute(
                    select(Pull.arm_id, func.count(), func.avg(Score.value))
                    .join(Score, (Score.arm_id == Pull.arm_id) & (Score.image_id == Pull.image_id))
                    .group_by(Pull.arm_id)
                ).all()
            reads.value += 1


@dataclass(frozen=True)
class Slowdown:
    """Pulls recorded a second in each round, in turn without and with a reader, and how often it read in all."""

    alone: list[Rate]
    watched: list[Rate]
    reads: int

    @property
    def ratio(self) -> float:
        """The median speed beside the reader to that alone, of the speeds without other programs."""
        return statistics.median(r.served for r in self.watched) / statistics.median(r.served for r in self.alone)


def slowdown(url: str, *, rounds: int = 10, pulls: int = 10_000, batch: int = 256) -> Slowdown:
    """What a reader that aggregates all pulls in a loop, in a process of its own, costs the writer."""
    context = multiprocessing.get_context("spawn")
    go, idle, reads = context.Event(), context.Event(), context.Value("q", 0)
    reader = context.Process(target=read_on, args=(url, go, idle, reads))
    reader.start()
    alone, watched = [], []
    with Database.open(url) as database:
        for i in range(rounds):
            idle.wait(60)
            alone.append(record_rate(database, f"alone-{i}", pulls, batch))
            go.set()
            watched.append(record_rate(database, f"watched-{i}", pulls, batch))
            go.clear()
            idle.clear()
    done, reads.value = reads.value, -(10**6)
    reader.join(60)
    if reader.exitcode != 0:
        raise RuntimeError(f"the reader failed with status {reader.exitcode}")
    return Slowdown(alone, watched, done)


def record_lines(folder: Path) -> Iterator[str]:
    """Recorded pulls a second on SQLite, for several sizes of a commit."""
    with Database.open(f"sqlite:///{folder}/record.db", create=True) as database:
        yield from _record_lines(database, "SQLite")


def postgresql_lines(folder: Path) -> Iterator[str]:
    """The same on a PostgreSQL server of this machine that waits for the disk at every commit."""
    programs = binaries()
    if programs is None:
        yield "postgresql: no server here"
        return
    folder.chmod(0o755)
    (folder / "server").mkdir()
    server = Server(programs, folder / "server", fsync=True)
    with Database.open(server.url("postgres"), create=True) as database:
        yield from _record_lines(database, "PostgreSQL")
    server.stop()


def _record_lines(database: Database, name: str) -> Iterator[str]:
    for batch, pulls in ((1, 1_000), (33, 10_000), (256, 30_000), (1024, 30_000)):
        rate = record_rate(database, f"batches of {batch}", pulls, batch)
        yield (
            f"record: {rate.wall:,.0f} pulls a second with their scores on {name}, {batch} a commit"
            f" ({rate.served:,.0f} without other programs' time)"
        )


def reader_lines(folder: Path) -> Iterator[str]:
    """What a reader that aggregates a million pulls costs the writer."""
    fill(folder / "reader.db", 10, 100_000)
    found = slowdown(f"sqlite:///{folder}/reader.db")
    for name, rates in (("alone", found.alone), ("beside a reader of a million pulls", found.watched)):
        wall, served = (statistics.median(getattr(rate, kind) for rate in rates) for kind in ("wall", "served"))
        yield f"reader: {wall:,.0f} pulls a second {name}, {served:,.0f} without other programs' time"
    yield f"reader: {found.ratio:.2f} of the speed alone; it read {found.reads} times"


def arms_lines(folder: Path) -> Iterator[str]:
    """How long the arms of one job take among 100 jobs and 10 million pulls."""
    begin = time.perf_counter()
    fill(folder / "arms.db", 100, 100_000)
    size = (folder / "arms.db").stat().st_size / 2**30
    yield f"arms: built 100 jobs, 10 million pulls, {size:.2f} GiB in {time.perf_counter() - begin:.0f} s"
    begin = time.perf_counter()
    with Database.open(f"sqlite:///{folder}/arms.db") as database:
        yield f"arms: opened in {(time.perf_counter() - begin) * 1e3:.1f} ms"
        yield f"arms: {arms_seconds(database, 'job-50') * 1e3:.1f} ms for the arms of one job"
        begin = time.perf_counter()
        with database.reading() as session:
            assert len(queries.jobs(session)) == 100
        yield f"arms: {(time.perf_counter() - begin) * 1e3:.1f} ms for the list of jobs"
        begin = time.perf_counter()
        with database.reading() as session:
            assert not queries.verify(session, "job-50").problems
        yield f"arms: {(time.perf_counter() - begin) * 1e3:.0f} ms to verify one job of 100,000 pulls"


TOPICS = {"record": record_lines, "postgresql": postgresql_lines, "reader": reader_lines, "arms": arms_lines}


def main(topics: Sequence[str]) -> None:
    """Print the figures of the topics asked for, or of all."""
    for topic in topics or TOPICS:
        with tempfile.TemporaryDirectory() as folder:
            for line in TOPICS[topic](Path(folder)):
                sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
