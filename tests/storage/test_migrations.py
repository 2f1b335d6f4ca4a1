"""The schema's history: from the first version to the newest, on both databases."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect

import storage.migrations
from storage import leases, queries
from storage.creation import create_job
from storage.engine import SCHEMA, VERSION_TABLE, Database, current, parse_url, upgrade
from storage.errors import LeaseHeldError, SchemaError
from storage.models import Base
from tests.storage.jobs import new_job

FIRST = "0001"
SCRIPTS = ScriptDirectory(str(Path(storage.migrations.__file__).parent))


def test_the_newest_revision_is_the_one_that_this_version_needs() -> None:
    assert SCRIPTS.get_heads() == [SCHEMA]


def test_revisions_are_numbered_in_order() -> None:
    revisions = [script.revision for script in SCRIPTS.walk_revisions()][::-1]
    assert revisions == [f"{number:04d}" for number in range(1, len(revisions) + 1)]


def test_the_migrations_make_the_schema_of_the_models(url: str) -> None:
    upgrade(url)
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "target_metadata": Base.metadata}
        )
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_constraints_of_the_models_are_made_too(url: str) -> None:
    upgrade(url)
    engine = create_engine(parse_url(url))
    inspector = inspect(engine)
    for table in Base.metadata.sorted_tables:
        made = {check["name"] for check in inspector.get_check_constraints(table.name)}
        wanted = {check.name for check in table.constraints if str(check.name).startswith("ck_")}
        assert made == wanted, table.name
        assert inspector.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
    engine.dispose()


def test_version_table_is_not_shared_with_other_programs(url: str) -> None:
    upgrade(url)
    engine = create_engine(parse_url(url))
    assert "alembic_version" not in inspect(engine).get_table_names()
    engine.dispose()


def test_upgrading_twice_changes_nothing(url: str) -> None:
    assert upgrade(url) == SCHEMA
    assert upgrade(url) == SCHEMA
    assert current(url) == SCHEMA


FIRST_ROWS = """
INSERT INTO job (id, name, spec, seed, threshold, state, stop_requested, created, epoch, versions, baseline, images,
                 quarantined)
    VALUES (1, 'old', '{"seed":7}', 7, 0.5, 'stopped', false, 1.5, 3, '{}', '{}', 2, 0);
INSERT INTO weight (id, job_id, round, name, outcome, winner, confidence) VALUES (1, 1, 1, 'cur', 'epsilon', 1, 0.95);
INSERT INTO weight (id, job_id, round, name) VALUES (2, 1, 1, 'suc');
INSERT INTO arm (id, weight_id, rank, value, cur, suc, pre, pulls, successes, iou_sum)
    VALUES (1, 1, 0, 0.5, 0.5, 1, 1, 2, 1, 1.0), (2, 1, 1, 1, 1, 1, 1, 0, 0, 0), (3, 2, 0, 1, 1, 1, 1, 0, 0, 0);
INSERT INTO image (id, job_id, rank, name, failures, quarantined)
    VALUES (1, 1, 0, 'a', 0, false), (2, 1, 1, 'b', 0, false);
INSERT INTO score (arm_id, image_id, iou) VALUES (1, 1, 0.75), (1, 2, 0.25);
INSERT INTO pull (weight_id, t, arm_id, image_id, success, at) VALUES (1, 1, 1, 1, true, 2.5), (1, 2, 1, 2, false, 3.5);
INSERT INTO event (id, job_id, at, kind, message) VALUES (1, 1, 4.5, 'stop', 'stopped by the user')
"""


def test_a_job_of_the_first_version_is_still_there_after_the_upgrade(url: str) -> None:
    upgrade(url, FIRST)
    assert current(url) == FIRST
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in FIRST_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
    engine.dispose()
    with pytest.raises(
        SchemaError, match=f"schema {FIRST}, this version needs {SCHEMA}; back it up, then run `tuner db upg"
    ):
        Database.open(url)
    upgrade(url)
    with Database.open(url) as database, database.reading() as session:
        job = queries.job(session, "old")
        assert (job.state, job.spec, job.pulls, job.images) == ("stopped", {"seed": 7}, 2, 2)
        assert job.created.timestamp() == 1.5
        assert [(pull.t, pull.image, pull.value, pull.success) for pull in queries.pulls(session, "old")] == [
            (1, "a", 0.75, True), (2, "b", 0.25, False)
        ]  # fmt: skip
        cur, suc = queries.bandits(session, "old")
        assert (cur.outcome, cur.winner, cur.confidence, cur.pulls) == ("epsilon", 1.0, 0.95, 2)
        assert (suc.outcome, suc.winner) == (None, None)
        assert (cur.setting, cur.base) == ("cur", {"suc": 1.0, "pre": 1.0})
        assert [arm.candidate for arm in queries.arms(session, "old")] == [0.5, 1.0, 1.0]
        assert [event.message for event in queries.events(session, "old")] == ["stopped by the user"]
        assert queries.verify(session, "old").problems == ()


SECOND_ROWS = """
INSERT INTO job (id, name, spec, seed, threshold, state, stop_requested, created, epoch, versions, baseline, images,
                 quarantined)
    VALUES (104, 'joint', '{"policy":{"kind":"optuna-tpe"},"tracer":{"location":"peak"}}', 7, 0.5, 'stopped', false,
            1.5, 3, '{}', '{}', 2, 0);
INSERT INTO weight (id, job_id, round, name, outcome, winner_rank) VALUES (9, 104, 1, 'joint', 'exhausted', 1);
INSERT INTO arm (id, weight_id, rank, cur, suc, pre, pulls, successes, iou_sum, may_be_best)
    VALUES (106, 9, 0, 1, 0.5, 0, 0, 0, 0, false), (107, 9, 1, 1, 1, 0.25, 1, 1, 0.75, true);
INSERT INTO image (id, job_id, rank, name, failures, quarantined) VALUES (108, 104, 0, 'a', 0, false),
    (109, 104, 1, 'b', 0, false);
INSERT INTO score (arm_id, image_id, iou) VALUES (107, 108, 0.75);
INSERT INTO pull (weight_id, t, arm_id, image_id, success, at) VALUES (9, 1, 107, 108, true, 2.5)
"""


def test_a_joint_search_of_the_second_version_is_one_bandit_over_combinations(url: str) -> None:
    upgrade(url, "0002")
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in SECOND_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
    engine.dispose()
    upgrade(url)
    best = {"cur": 1.0, "suc": 1.0, "pre": 0.25}
    with Database.open(url) as database:
        with database.reading() as session:
            assert queries.job(session, "joint").spec["search"] == "joint"
            (bandit,) = queries.bandits(session, "joint")
            assert (bandit.setting, bandit.base, bandit.winner) == ("joint", {"location": "peak"}, best)
            assert [pull.candidate for pull in queries.pulls(session, "joint")] == [best]
            assert queries.verify(session, "joint").problems == ()
        with database.writing() as session:
            create_job(session, new_job("new"))
        with database.reading() as session:
            assert min(bandit.id for bandit in queries.bandits(session, "new")) > 9


def test_a_job_from_before_the_check_holds_no_image_out(url: str) -> None:
    upgrade(url, "0002")
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in SECOND_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
    engine.dispose()
    upgrade(url)
    with Database.open(url) as database, database.reading() as session:
        job = queries.job(session, "joint")
        assert (job.held_out, job.tuned_on, job.spec["check"]) == (0, 2, 0.0)
        assert queries.checks(session, "joint").values.shape == (0, 3)


FIFTH_ROWS = """
INSERT INTO job (id, name, spec, seed, threshold, state, stop_requested, created, epoch, versions, baseline, images,
                 held_out, quarantined)
    VALUES (1, 'boxes', '{"policy":{"kind":"race"},"reward":{"iou":0.7}}', 7, 0.7, 'finished', false, 1.5, 3, '{}',
            '{"mean":0.5}', 2, 1, 0);
INSERT INTO bandit (id, job_id, round, setting, base, outcome) VALUES (1, 1, 1, 'cut', '{}', 'decided');
INSERT INTO arm (id, bandit_id, rank, candidate, pulls, successes, iou_sum) VALUES (1, 1, 0, '0.3', 1, 1, 0.75);
INSERT INTO image (id, job_id, rank, name, failures, quarantined) VALUES (1, 1, 0, 'a', 0, false),
    (2, 1, 1, 'b', 0, false);
INSERT INTO score (arm_id, image_id, iou) VALUES (1, 1, 0.75);
INSERT INTO pull (bandit_id, t, arm_id, image_id, success, at) VALUES (1, 1, 1, 1, true, 2.5);
INSERT INTO "check" (image_id, subject, iou) VALUES (2, 'base', 0.25), (2, 'learned', 1), (2, 'whole_image', 0.5)
"""


def test_the_ious_of_the_fifth_version_are_values_of_its_reward(url: str) -> None:
    upgrade(url, "0005")
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in FIFTH_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
    upgrade(url)
    with Database.open(url) as database, database.reading() as session:
        assert queries.job(session, "boxes").spec == {"policy": {"kind": "race"}, "reward": {"kind": "iou", "at": 0.7}}
        assert [pull.value for pull in queries.pulls(session, "boxes")] == [0.75]
        assert [arm.mean_value for arm in queries.arms(session, "boxes")] == [0.75]
        assert queries.scores(session, "boxes").values.tolist() == [[0.75]]
        assert queries.checks(session, "boxes").values.tolist() == [[0.25, 1.0, 0.5]]
        assert queries.verify(session, "boxes").problems == ()
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        connection.exec_driver_sql("DELETE FROM job")
        for table in ("score", "pull", '"check"'):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0, table
    engine.dispose()


SEVENTH_ROWS = """
INSERT INTO job (id, name, spec, seed, threshold, state, stop_requested, created, epoch, versions, baseline, images,
                 held_out, quarantined, code_sha256)
    VALUES (1, 'old', '{"seed":7}', 7, 0.5, 'stopped', false, 1.5, 3, '{}', '{"mean":0.5}', 2, 1, 0, 'c');
INSERT INTO bandit (id, job_id, round, setting, base, outcome, winner_rank) VALUES (1, 1, 1, 'cut', '{}', 'epsilon', 0);
INSERT INTO arm (id, bandit_id, rank, candidate, pulls, successes, value_sum) VALUES (1, 1, 0, '0.3', 1, 1, 0.75);
INSERT INTO image (id, job_id, rank, name, failures, quarantined) VALUES (1, 1, 0, 'a', 0, false),
    (2, 1, 1, 'b', 0, false);
INSERT INTO score (arm_id, image_id, value) VALUES (1, 1, 0.75);
INSERT INTO pull (bandit_id, t, arm_id, image_id, success, at) VALUES (1, 1, 1, 1, true, 2.5);
INSERT INTO "check" (image_id, subject, value) VALUES (2, 'base', 0.25), (2, 'learned', 1), (2, 'whole_image', 0.5);
INSERT INTO event (id, job_id, at, kind, message) VALUES (1, 1, 4.5, 'stop', 'stopped by the user')
"""


def test_a_job_from_before_its_revision_keeps_everything_and_begins_to_count(url: str) -> None:
    def rows(connection: Connection) -> dict[str, list[dict[str, object]]]:
        tables = ("job", "bandit", "arm", "image", "score", "pull", '"check"', "event")
        found = {table: connection.exec_driver_sql(f"SELECT * FROM {table}").mappings() for table in tables}
        return {table: [dict(row) for row in of_table] for table, of_table in found.items()}

    upgrade(url, "0007")
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in SEVENTH_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
        before = rows(connection)
    upgrade(url)
    with engine.begin() as connection:
        assert rows(connection) == before | {"job": [{**before["job"][0], "revision": 0}]}
    engine.dispose()
    with Database.open(url) as database:
        with database.reading() as session:
            known = queries.revisions(session)["old"]
            assert queries.verify(session, "old").problems == ()
        with database.writing() as session:
            leases.acquire(session, "old", "host:1")
        with database.reading() as session:
            assert queries.revisions(session)["old"] != known


def test_the_upgraded_rows_still_hold_together(url: str) -> None:
    upgrade(url, FIRST)
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        for statement in FIRST_ROWS.split(";\n"):
            connection.exec_driver_sql(statement)
    upgrade(url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        connection.exec_driver_sql("DELETE FROM job")
        for table in ("bandit", "arm", "score", "pull"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0, table
    engine.dispose()


def test_a_database_is_not_upgraded_under_a_controller_of_the_older_version(url: str) -> None:
    upgrade(url, FIRST)
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.exec_driver_sql(FIRST_ROWS.partition(";\n")[0])
        connection.exec_driver_sql("UPDATE job SET owner = 'lab7 process 1', lease_expires = 9e9")
    with pytest.raises(LeaseHeldError, match=r"job 'old' is run by lab7 process 1, .*: end that process"):
        upgrade(url)
    assert current(url) == FIRST
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE job SET lease_expires = 1.5")
    engine.dispose()
    assert upgrade(url) == SCHEMA


def test_an_older_version_of_the_program_refuses_the_schema_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(url)
    monkeypatch.setattr("storage.engine.SCHEMA", FIRST)
    for refused in (Database.open, upgrade):
        with pytest.raises(SchemaError, match=f"schema {SCHEMA}, this version needs {FIRST}; update this program"):
            refused(url)


def test_an_upgrade_that_fails_leaves_no_half_schema(url: str) -> None:
    with pytest.raises(Exception, match="nowhere"):
        upgrade(url, "nowhere")
    assert current(url) is None
