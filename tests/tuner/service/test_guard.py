"""Who may ask, from where, how much, and what a browser may do with the answer."""

import logging
from collections.abc import Iterator

import httpx
import pytest

from tests.tuner.service.serving import asking
from tuner.errors import SpecError
from tuner.service.guard import COOKIE, MOST_BYTES, Session
from tuner.service.options import Options

TOKEN = "0123456789abcdef-the-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def guarded(storage: str) -> Iterator[httpx.Client]:
    """A client, which knows no token, of a server that has one and stands behind a proxy under a path."""
    with asking(Options(storage, token=TOKEN, root_path="/tuner", hosts=frozenset({"lab.example"}))) as client:
        yield client


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "lab.example", "::"])
def test_other_machines_reach_a_server_only_with_a_token(storage: str, host: str) -> None:
    with pytest.raises(SpecError, match="set TUNER_TOKEN"):
        Options(storage, host)
    Options(storage, host, TOKEN)


@pytest.mark.parametrize("token", ["123456789", "ümlaut-ümlaut-ümlaut", "line\nbreak-line-break"])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(storage: str, token: str) -> None:
    with pytest.raises(SpecError) as refused:
        Options(storage, token=token)
    assert token not in str(refused.value)


@pytest.mark.parametrize(
    "path", ["/jobs", "/jobs/race", "/metrics", "/openapi.json", "/weights/fake", "/changes", "/api"]
)
def test_nothing_is_told_without_the_token(guarded: httpx.Client, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": f"{COOKIE}=9.9"}):
        answer = guarded.get(path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert "race" not in answer.text


def test_whether_the_server_is_well_needs_no_token(guarded: httpx.Client) -> None:
    assert {guarded.get(path).status_code for path in ("/healthz", "/readyz", "/login")} == {200}


def test_a_script_brings_the_token(guarded: httpx.Client) -> None:
    assert guarded.get("/jobs", headers=BEARER).status_code == 200


def test_a_browser_gets_a_cookie_for_the_token_and_comes_back_to_its_page(guarded: httpx.Client) -> None:
    asked = guarded.get("/view/race/pulls?setting=cur", headers={"Accept": "text/html"})
    assert asked.status_code == 303
    login = httpx.URL(asked.headers["Location"])
    assert login.path == "/tuner/login"
    form = {"token": TOKEN, "next": login.params["next"]}
    answer = guarded.post("/login", data=form, headers={"Origin": str(guarded.base_url).removesuffix("/tuner/")})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/tuner/view/race/pulls?setting=cur")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/tuner", "SameSite=strict"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    value = {"Cookie": cookie.partition(";")[0]}
    assert guarded.get("/view/race/pulls", headers=value).status_code == 200
    guarded.cookies.clear()


@pytest.mark.parametrize("following", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"])
def test_signing_in_leads_nowhere_else(guarded: httpx.Client, following: str) -> None:
    answer = guarded.post("/login", data={"token": TOKEN, "next": following})
    assert answer.headers["Location"] == "/tuner/"
    guarded.cookies.clear()


def test_a_wrong_token_gives_no_cookie(guarded: httpx.Client) -> None:
    answer = guarded.post("/login", data={"token": "wrong"})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_a_cookie_is_good_for_its_token_and_its_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session(TOKEN)
    cookie = session.make()
    end, _, signature = cookie.partition(".")
    assert session.is_good(cookie)
    assert not Session("another token of 16").is_good(cookie)
    assert not any(
        session.is_good(bad) for bad in ("", ".", f"{int(end) + 1}.{signature}", f"{end}.", f"x.{signature}")
    )
    monkeypatch.setattr("tuner.service.guard.time.time", lambda: int(end) + 1)
    assert not session.is_good(cookie)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "http://["]
)
def test_a_page_of_another_site_changes_nothing(guarded: httpx.Client, method: str, origin: str) -> None:
    answer = guarded.request(method, "/jobs/race", headers={**BEARER, "Origin": origin})
    assert answer.status_code == 403
    assert guarded.request(method, "/jobs/race", headers={**BEARER, "Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_cookie_changes_nothing_without_an_origin(guarded: httpx.Client) -> None:
    answer = guarded.delete("/jobs/race", headers={"Cookie": f"{COOKIE}={Session(TOKEN).make()}"})
    assert (answer.status_code, "says where it comes from" in answer.text) == (403, True)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "lab.example.evil.example:80"])
def test_a_name_that_is_not_the_servers_gets_nothing(guarded: httpx.Client, host: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = guarded.request(method, "/jobs", headers={**BEARER, "Host": host})
        assert answer.status_code in (400, 421)


@pytest.mark.parametrize("header", ["Origin", "Authorization", "Sec-Fetch-Site"])  # HTTP itself refuses two hosts
def test_a_header_that_the_guard_judges_by_is_sent_once(guarded: httpx.Client, header: str) -> None:
    good = {"Host": "127.0.0.1", "Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin", **BEARER}
    twice = [*good.items(), (header, good[header]), (header, "evil.example")]
    assert guarded.post("/jobs/race/stop", headers=list(good.items())).status_code == 404, "there is no such route"
    assert guarded.post("/jobs/race/stop", headers=twice).status_code == 400


def test_the_names_that_are_allowed_are_answered(guarded: httpx.Client) -> None:
    for host in ("lab.example", "LAB.example:8443", "localhost:1"):
        assert guarded.get("/jobs", headers={**BEARER, "Host": host}).status_code == 200


def test_another_sites_page_cannot_load_what_is_here_but_may_lead_here(service: httpx.Client) -> None:
    other = {"Sec-Fetch-Site": "cross-site"}
    assert service.get("/jobs/race/images/0/trace?arm=1", headers=other).status_code == 403
    assert service.get("/", headers=other | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_a_long_body_is_not_read(guarded: httpx.Client) -> None:
    assert guarded.put("/jobs/new", headers=BEARER, content=b"x" * (MOST_BYTES + 1)).status_code == 413


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/none", "/nowhere", "/login", "/static/service.js", "/healthz"])
def test_every_answer_says_what_a_browser_may_do(guarded: httpx.Client, path: str) -> None:
    for headers in ({}, BEARER, {"Host": "evil.example"}):
        answer = guarded.get(path, headers=headers)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/tuner/view/race", "/view/race"])
def test_a_proxy_may_take_the_path_off_or_leave_it(guarded: httpx.Client, path: str) -> None:
    answer = guarded.get(guarded.base_url.copy_with(path=path), headers=BEARER)
    assert answer.status_code == 200
    links = set(answer.text.split('href="')[1:])
    assert all(link.startswith(("/tuner/", "#")) for link in links)
    assert 'content="/tuner/changes?job=race"' in answer.text


def test_no_secret_is_in_an_answer_or_the_log(storage: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    url = "postgresql://tuner:s3cret-pass@127.0.0.1:1/none"
    with asking(Options(url, token=TOKEN)) as client:
        told = [client.get(path, headers=BEARER).text for path in ("/jobs", "/readyz", "/metrics", "/", "/api")]
        told.append(client.post("/login", data={"token": f"{TOKEN}x"}).text)
    for secret in (TOKEN, "s3cret-pass"):
        assert not any(secret in text for text in told)
        assert secret not in caplog.text
        assert secret not in repr(Options(url, token=TOKEN))
