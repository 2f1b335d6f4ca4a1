"""What the report and the table for other tools make of answers."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from experiments.cli import main
from experiments.trust.answers import Answer, Answers
from experiments.trust.report import report
from experiments.trust.study import Study
from tests.experiments.trust.raters import make_study


def fill(answers: Answers, study: Study, favourite: int, trials: int = 99) -> str:
    """A rater who chooses one condition and gives it a 5, the others a 2; in attention trials what is told."""
    token = answers.admit(len(study.sheets))
    rater = answers.find(token)
    assert rater is not None
    for number, showing in enumerate(study.sheets[rater.sheet][:trials]):
        told = study.trials[showing.trial].told
        best = showing.sides.index(favourite)
        scores = tuple(5 if side == favourite else 2 for side in showing.sides)
        answer = Answer(told.best, (told.score,) * len(scores), 700) if told else Answer(best, scores, 700)
        answers.add(token, number, answer)
    return token


def test_figures_are_those_computed_by_hand(answers: Answers, study: Study) -> None:
    for favourite in (1, 1, 1, 0):
        fill(answers, study, favourite)
    votes, agreement, people = report(study, answers.all(), seed=0).tables
    plain, better = votes.rows
    assert (plain["votes"], better["votes"]) == (6, 18)
    assert (plain["raters_for"], better["raters_for"]) == (1, 3)
    assert (plain["share"], better["share"]) == (25, 75)
    assert (better["score"], better["reliability"]) == (4.25, 81.25)
    assert (better["share_difference"], better["reliability_difference"]) == (50, 37.5)
    assert better["share_p"] == 10 / 16
    assert math.isnan(plain["share_difference"])
    assert [row["level"] for row in agreement.rows] == ["nominal", "ordinal"]
    assert [row["counted"] for row in people.rows] == [True] * 4
    assert any("p is at least" in note for note in votes.notes)


def test_who_agrees_is_said_to(answers: Answers, study: Study) -> None:
    for _ in range(3):
        fill(answers, study, 1)
    agreement = report(study, answers.all(), seed=0).tables[1]
    assert agreement.rows[1]["alpha"] == pytest.approx(1)


def test_who_stopped_counts_with_what_was_answered_and_practice_does_not(answers: Answers, study: Study) -> None:
    fill(answers, study, 1)
    fill(answers, study, 0, trials=3)
    fill(answers, study, 0, trials=1)
    rows = report(study, answers.all(), seed=0).tables[0].rows
    assert [row["votes"] for row in rows] == [2, 6]
    assert [row["raters"] for row in rows] == [2, 2]
    assert [row["share"] for row in rows] == [50, 50]


def test_several_conditions_are_held_against_the_first(tmp_path: Path) -> None:
    study = make_study(tmp_path / "three", ("one", "two", "three"), sheets=3)
    answers = Answers(tmp_path / "answers.sqlite", study.sha256)
    for favourite in (2, 2, 2, 2, 2, 2, 2, 1):
        fill(answers, study, favourite)
    result = report(study, answers.all(), seed=0)
    one, two, three = result.tables[0].rows
    assert [row["votes"] for row in (one, two, three)] == [0, 6, 42]
    assert three["share_p"] == 2 * 4 / 2**8, "seven of eight lean one way; doubled, as there are two comparisons"
    assert two["share_p"] == 1
    assert "three was chosen more often than one" in result.verdict
    assert "No preference was found between two and one" in result.verdict
    answers.close()


def test_settings_that_saw_the_images_are_named_in_the_table(answers: Answers, study: Study) -> None:
    fill(answers, study, 1)
    told = study.model_copy(
        update={"conditions": (study.conditions[0], study.conditions[1].model_copy(update={"seen": 4}))}
    )
    assert any("learned on 4 of these images" in note for note in report(told, answers.all(), seed=0).tables[0].notes)


def test_the_table_for_other_tools_has_their_columns(answers: Answers, study: Study, folder: Path) -> None:
    fill(answers, study, 1)
    result = CliRunner().invoke(main, ["trust", "export", str(folder)])
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 8
    assert {"trial_type", "trial_index", "time_elapsed", "rt", "stimulus", "response"} < set(rows[0])
    assert [row["trial_index"] for row in rows] == list(map(str, range(8)))
    assert rows[-1]["time_elapsed"] == "5600"
    for row in rows:
        response, sides = json.loads(row["response"]), json.loads(row["sides"])
        assert sides[int(response["best"]) - 1] == row["best"]
        assert response[f"score_{sides.index('better') + 1}"] == row["score_better"]
    output = folder.parent / "answers.csv"
    assert CliRunner().invoke(main, ["trust", "export", str(folder), "-o", str(output)]).exit_code == 0
    assert output.read_text() == result.stdout


def test_a_rater_is_withdrawn_by_the_link(answers: Answers, study: Study, folder: Path) -> None:
    token = fill(answers, study, 1)
    fill(answers, study, 0)
    link = f"http://127.0.0.1:8300/raters/{token}/"
    assert CliRunner().invoke(main, ["trust", "withdraw", str(folder), link]).exit_code == 0
    (left,) = answers.all()
    assert left.answers[1].scores in ((5, 2), (2, 5))
    assert answers.find(token) is None


def test_the_same_answers_make_the_same_report(answers: Answers, study: Study) -> None:
    random = np.random.default_rng(0)
    for _ in range(4):
        fill(answers, study, int(random.integers(2)))
    first, second = (report(study, answers.all(), seed=3) for _ in range(2))
    assert repr(first) == repr(second)


def test_a_study_can_stand_in_a_report_beside_other_experiments(answers: Answers, study: Study, folder: Path) -> None:
    fill(answers, study, 1)
    output = folder.parent / "report.html"
    done = CliRunner().invoke(main, ["report", "-o", str(output), "trust", str(folder)])
    assert done.exit_code == 0, done.output
    assert "not faithfulness" in output.read_text()
    assert "trust study" in output.read_text()
