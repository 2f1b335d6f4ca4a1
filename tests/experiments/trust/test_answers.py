"""Answers are kept once, for good, and only until they are withdrawn."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from experiments.errors import AnswersError
from experiments.trust.answers import FILE, Answer, Answers
from experiments.trust.study import Study

DYING = """
import os, signal, sys
from pathlib import Path
from experiments.trust.answers import Answer, Answers
answers = Answers(Path(sys.argv[1]), "study")
token = answers.admit(1)
print(token, flush=True)
for number in range(1000):
    answers.add(token, number, Answer(0, (1, 2), 3))
    print(number, flush=True)
    if number == 20:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_confirmed_outlives_a_killed_process(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", DYING, tmp_path / FILE], stdout=subprocess.PIPE, text=True, check=False
    )
    token, *confirmed = dead.stdout.split()
    assert dead.returncode == -9
    assert len(confirmed) == 21
    with closing(Answers(tmp_path / FILE, "study")) as answers:
        rater = answers.find(token)
        assert rater is not None
        assert sorted(rater.answers) == list(map(int, confirmed))


def test_an_answer_of_nobody_is_refused(answers: Answers) -> None:
    token = answers.admit(1)
    with pytest.raises(AnswersError):
        answers.add("of nobody", 0, Answer(0, (1, 2)))
    assert answers.find(token).answers == {}  # type: ignore[union-attr]


def test_the_first_of_several_answers_stays(answers: Answers) -> None:
    token = answers.admit(1)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda best: answers.add(token, 0, Answer(best, (1, 2))), range(8)))
    (answer,) = answers.find(token).answers.values()  # type: ignore[union-attr]
    answers.add(token, 0, Answer(99, (1, 2)))
    assert answers.find(token).answers == {0: answer}  # type: ignore[union-attr]


def test_raters_take_turns_among_sheets_also_at_once(answers: Answers) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: answers.admit(4), range(8)))
    assert sorted(rater.sheet for rater in answers.all()) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_withdrawn_rater_leaves_nothing_behind(answers: Answers, folder: Path) -> None:
    token = answers.admit(1)
    known = answers.all()[0].id
    answers.add(token, 0, Answer(0, (1, 2)))
    assert known.encode() in (folder / FILE).read_bytes()
    assert answers.withdraw(token)
    assert not answers.withdraw(token)
    assert known.encode() not in (folder / FILE).read_bytes(), "what is deleted is overwritten"
    assert not answers.all()


def test_the_answers_to_another_study_are_refused(answers: Answers, folder: Path) -> None:
    with pytest.raises(AnswersError, match="another study"):
        Answers(folder / FILE, "other")


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path, study: Study) -> None:
    (tmp_path / FILE).write_text("no database at all" * 100)
    with pytest.raises(AnswersError, match="cannot be used"):
        Answers(tmp_path / FILE, study.sha256)
