"""What raters meet: consent, forms, links that resume, withdrawal; and what a study finds of their taste."""

import re
from itertools import product
from pathlib import Path

import httpx
import numpy as np
import pytest

from experiments.trust.answers import Answers
from experiments.trust.forms import read_answer
from experiments.trust.guard import MOST_BYTES
from experiments.trust.report import is_found, report
from experiments.trust.study import STIMULI, Study
from tests.experiments.trust.conftest import Forms
from tests.experiments.trust.raters import Choice, rate

WHOLE = {"best": "1", "score_1": "4", "score_2": "2"}


def admit(client: httpx.Client) -> str:
    answer = client.post("/", data={"agree": "yes"}, follow_redirects=False)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def likes(condition: int) -> Choice:
    return lambda _: condition


def test_nobody_takes_part_without_consent(client: httpx.Client, answers: Answers) -> None:
    assert client.post("/", data={"agree": "no"}).status_code == 422
    assert client.post("/").status_code == 422
    assert client.get("/raters/guessed/trials/1").status_code == 404
    assert client.post("/raters/guessed/trials/1", data=WHOLE).status_code == 404
    assert not answers.all()


def test_a_trial_shows_letters_and_no_names(client: httpx.Client, study: Study) -> None:
    text = client.get(f"{admit(client)}/trials/1").text
    assert "Map A" in text
    assert "for practice" in text
    assert "&lt;thing&gt; 0" in text
    assert not any(condition.name in text for condition in study.conditions)
    names = re.findall(r"/stimuli/([^\"]+)", text)
    assert len(names) == 3
    for name in names:
        assert client.get(f"/stimuli/{name}").status_code == 200


def test_nothing_but_the_stimuli_is_given_out(client: httpx.Client) -> None:
    for name in ("../study.json", "..%2Fstudy.json", "0123456789abcdef.jpg", "study.json"):
        assert client.get(f"/stimuli/{name}").status_code == 404


def test_an_incomplete_form_is_shown_again_with_what_it_had(client: httpx.Client, answers: Answers) -> None:
    link = admit(client)
    incomplete = [
        ({}, 3),
        ({"best": "1"}, 2),
        (WHOLE | {"best": "3"}, 1),
        (WHOLE | {"score_1": "6", "score_2": "0"}, 2),
        (WHOLE | {"score_2": "4.5"}, 1),
    ]
    for fields, lacking in incomplete:
        answer = client.post(f"{link}/trials/1", data=fields)
        assert answer.status_code == 422
        assert answer.text.count('aria-invalid="true"') == lacking
        assert answer.text.count("<li><a href=") == lacking
        assert answer.text.count(" checked") == 3 - lacking
    assert not answers.all()[0].answers


def test_a_link_resumes_where_the_rater_stopped(client: httpx.Client) -> None:
    link = admit(client)
    for number in (1, 2):
        client.post(f"{link}/trials/{number}", data=WHOLE)
    assert "photograph 3 of 8" in client.get(link).text
    for number in (1, 8, 99):
        answer = client.get(f"{link}/trials/{number}", follow_redirects=False)
        assert answer.headers["location"] == f"{link}/trials/3"


def test_a_form_sent_twice_or_again_changes_nothing(client: httpx.Client, answers: Answers) -> None:
    link = admit(client)
    client.post(f"{link}/trials/1", data=WHOLE)
    again = client.post(f"{link}/trials/1", data=WHOLE | {"best": "2"}, follow_redirects=False)
    assert again.headers["location"] == f"{link}/trials/2"
    (rater,) = answers.all()
    assert {number: answer.best for number, answer in rater.answers.items()} == {0: 0}


def test_the_time_taken_is_kept_where_it_can_be() -> None:
    times = {"4900": 100, "5001": None, "": None, "9" * 40: None, "-1": None, "4e3": None}
    for shown, known in times.items():
        assert read_answer(WHOLE | {"shown": shown}, 2, now=5000).rt == known


def test_a_rater_can_have_everything_deleted(forms: Forms, answers: Answers, study: Study) -> None:
    link = rate(forms, study, likes(0), np.random.default_rng(0))
    assert len(answers.all()[0].answers) == 8
    forms.get(f"{link}/withdrawal")
    assert "deleted" in forms.send({})
    assert not answers.all()
    assert forms.client.get(link).status_code == 404


def test_nothing_that_says_who_a_rater_is_reaches_the_file(
    client: httpx.Client, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = admit(client)
    client.post(
        f"{link}/trials/1",
        data=WHOLE | {"name": "Ada Lovelace"},
        headers={"User-Agent": "TellTale/1.0", "X-Forwarded-For": "203.0.113.9"},
    )
    kept = (folder / "answers.sqlite").read_bytes()
    for secret in (b"Ada", b"TellTale", b"203.0.113.9", b"httpx/", b"127.0.0.1", link.rpartition("/")[2].encode()):
        assert secret not in kept
    said = " ".join(record.getMessage() for record in caplog.records if record.name != "httpx")  # the test's own
    assert not any(secret in said for secret in ("Ada", "TellTale", "203.0.113.9", link))


def test_a_form_on_another_site_does_nothing(client: httpx.Client, answers: Answers) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert client.post("/", data={"agree": "yes"}, headers=headers).status_code == 403
    assert not answers.all()
    own = {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert client.post("/", data={"agree": "yes"}, headers=own, follow_redirects=False).status_code == 303


def test_a_name_that_is_not_the_servers_gets_nothing(client: httpx.Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "", "[", "evil.example:8300"):
        assert client.get("/", headers={"Host": host}).status_code in (400, 421)
    for host in ("localhost:1", "[::1]:8300", "LOCALHOST"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_a_long_body_is_refused_unread(client: httpx.Client) -> None:
    assert client.post("/", content=b"x" * (MOST_BYTES + 1)).status_code == 413
    assert client.post("/", content=iter([b"agree=yes"])).status_code == 413


def test_every_answer_says_what_a_browser_may_do(client: httpx.Client) -> None:
    paths = ("/", "/nowhere", "/style.css", "/stimuli/none", "/docs", "/openapi.json")
    for path, host in product(paths, ("127.0.0.1", "evil.example")):
        answer = client.get(path, headers={"Host": host})
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "<script" not in answer.text


def test_answers_that_cannot_be_kept_are_not_thanked_for(client: httpx.Client, answers: Answers, folder: Path) -> None:
    link = admit(client)
    answers.close()
    (folder / "answers.sqlite").write_bytes(b"no database any more" * 100)
    answer = client.post(f"{link}/trials/1", data=WHOLE)
    assert answer.status_code == 503
    assert "could not be kept" in answer.text


def test_the_report_finds_a_taste_that_raters_have(forms: Forms, answers: Answers, study: Study) -> None:
    random = np.random.default_rng(0)
    for _ in range(8):
        rate(forms, study, lambda _: int(random.random() < 0.9), random)
    result = report(study, answers.all(), seed=0)
    row = result.tables[0].rows[1]
    assert row["condition"] == "better"
    assert row["raters"] == 8
    assert is_found(row, "share")
    assert is_found(row, "reliability")
    assert row["share_difference"] > 50
    assert "better was chosen more often than plain" in result.verdict
    assert "not faithfulness" in result.verdict


def test_the_report_finds_no_taste_where_there_is_none(forms: Forms, answers: Answers, study: Study) -> None:
    random = np.random.default_rng(0)
    for _ in range(8):
        rate(forms, study, lambda sides: int(random.choice(sides)), random)
    result = report(study, answers.all(), seed=0)
    row = result.tables[0].rows[1]
    assert not is_found(row, "share")
    assert not is_found(row, "reliability")
    assert "No preference was found" in result.verdict


def test_who_always_chooses_the_left_map_prefers_neither(forms: Forms, answers: Answers, study: Study) -> None:
    for _ in range(2):
        rate(forms, study, lambda sides: sides[0], np.random.default_rng(0))
    rows = report(study, answers.all(), seed=0).tables[0].rows
    assert [row["share"] for row in rows] == [50, 50]


def test_who_does_not_read_along_is_left_out(forms: Forms, answers: Answers, study: Study) -> None:
    random = np.random.default_rng(0)
    rate(forms, study, likes(1), random)
    rate(forms, study, likes(0), random, heedful=False)
    counted = report(study, answers.all(), seed=0).tables[0].rows
    assert [row["votes"] for row in counted] == [0, 6]
    everyone = report(study, answers.all(), seed=0, everyone=True).tables[0].rows
    assert [row["votes"] for row in everyone] == [6, 6]


def test_a_study_without_names_in_its_files(study: Study, folder: Path) -> None:
    for file in (folder / STIMULI).iterdir():
        assert re.fullmatch(r"[0-9a-f]{16}\.jpg", file.name)
