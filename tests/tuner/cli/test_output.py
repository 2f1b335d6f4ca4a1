import csv
import io
import json
from datetime import UTC, datetime

import pytest
import yaml

from tuner.cli.output import render, show
from tuner.results.table import Table

ROWS = [
    {"name": "a", "mean": 0.5, "best": [0.1, 0.2], "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "ended": None},
    {"name": "b, c", "mean": float("nan"), "best": [], "at": datetime(2026, 1, 2, tzinfo=UTC), "ended": None},
]


def test_json_and_yaml_carry_the_same_plain_values() -> None:
    rows = json.loads(render(ROWS, "json"))
    assert rows == yaml.safe_load(render(ROWS, "yaml"))
    assert rows[0] == {"name": "a", "mean": 0.5, "best": [0.1, 0.2], "at": "2026-01-02T03:04:05+00:00", "ended": None}
    assert rows[1]["mean"] is None, "JSON has no NaN"


def test_csv_has_a_header_and_a_line_a_row() -> None:
    first, second = csv.DictReader(io.StringIO(render(ROWS, "csv")))
    assert first == {"name": "a", "mean": "0.5", "best": "0.1 0.2", "at": "2026-01-02T03:04:05+00:00", "ended": ""}
    assert second["name"] == "b, c"


def test_a_candidate_that_is_null_is_told_from_one_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    begun = {"leading": None, "mean": 0.5, "outcome": None, "winner": None, "may_be_best": [None, 320]}
    ended = begun | {"mean": None, "outcome": "decided"}
    first, second = csv.DictReader(io.StringIO(render([begun, ended], "csv")))
    assert (first["leading"], first["winner"], first["may_be_best"]) == ("null", "", "null 320")
    assert (second["leading"], second["winner"]) == ("", "null")
    assert json.loads(render([begun], "json")) == [begun]
    show(Table(None, [{"candidate": None}, {"candidate": {"input": None, "pre": 0.5}}]), "table")
    said = capsys.readouterr().out
    assert " null " in said
    assert "input=null pre=0.5" in said


@pytest.mark.parametrize(("form", "nothing"), [("json", "[]\n"), ("yaml", "[]\n"), ("csv", "")])
def test_no_rows_are_an_empty_answer(form: str, nothing: str) -> None:
    assert render([], form) == nothing


def test_names_with_brackets_and_colons_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["cats[small]/1.jpg", "[/b]", "[bold]x", ":smile:", "a\\[b]"]
    show(Table("[/i] arms", [{"image": name, "best": [name]} for name in names]), "table")
    said = capsys.readouterr().out
    assert all(said.count(name) == 2 for name in names)
    assert "[/i] arms" in said


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(Table(None, [{"image": "\x1b[31mred\nand\ud800"}]), "table")
    assert "\\x1b[31mred and\\ud800" in capsys.readouterr().out


def test_a_table_is_whole_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(Table("jobs", [{"name": "x" * 100, "at": ROWS[0]["at"]}], ("a note",)), "table")
    said = capsys.readouterr().out
    assert "x" * 100 in said
    assert "2026-01-02 03:04:05" in said
    assert said.rstrip().endswith("a note")
