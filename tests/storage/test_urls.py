"""Where a database is: which URLs are taken, and that no message shows a password."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from sqlalchemy import URL

from storage.engine import current
from storage.errors import DatabaseError, InvalidUrlError
from storage.urls import masked, parse_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_means_psycopg(scheme: str) -> None:
    assert parse_url(f"{scheme}://user:word@host/name").drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("runs/tuner.db", "not a database URL; write sqlite:///FILE"),
        ("", "not a database URL"),
        ("mysql://user:s3cret@host/name", "'mysql' is not supported; use sqlite or postgresql"),
        ("postgresql+asyncpg://user:s3cret@host/name", "is not supported"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
        ("postgresql://user:s3cret@host:port/name", "not a database URL"),
        ("postgresql://user:pass@s3cret@host/name", "write @ as %40"),
        ("mysql://user:pass@s3cret@host/name", "write @ as %40"),
        ("postgresql://user:pass@word/s3cret@host/name", "write @ as %40"),
        ("postgresql://user:pass@word?s3cret@host/name", "write @ as %40"),
        ("postgresql://us/er:s3cret@host/name", "write @ as %40"),
        ("postgresql://host?password=pass@s3cret", "write @ as %40"),
        ("postgresql://host:5432?password=pass@s3cret", "write @ as %40"),
        ("postgresql://user@host/name?pasword=s3cret", "unknown option; did you mean 'password'"),
        ("postgresql://user@host/name?password=pass&s3cret=1", "unknown option; .* write & as %26"),
        ("mysql://user@host/name?pasword=s3cret", "'mysql' is not supported"),
        ("sqlite://?s3cret=1", "name a file"),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(InvalidUrlError, match=complaint) as refusal:
        parse_url(url)
    assert "s3cret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@settings(max_examples=30)
@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=8), query=st.booleans())
def test_no_message_shows_the_password(password: str, query: bool) -> None:
    place = {"query": {"password": password}} if query else {"password": password}
    url = URL.create("postgresql", "user", host="127.0.0.1", port=1, database="name", **place)  # type: ignore[arg-type]
    with pytest.raises(DatabaseError) as error:
        current(url.render_as_string(hide_password=False))
    assert password not in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=300)
@given(
    password=st.text(st.characters(codec="utf-8", exclude_characters="\x00%"), min_size=1),
    url=st.sampled_from(
        [
            "postgresql://us:{}@127.0.0.1:1/nm",
            "postgresql://us@127.0.0.1:1/nm?password={}",
            "postgresql://127.0.0.1:1?password={}",
            "postgresql:///nm?password={}",
            "mysql://us:{}@127.0.0.1:1/nm",
        ]
    ),
)
def test_no_message_shows_a_password_that_was_not_escaped(password: str, url: str) -> None:
    password = "".join(f"{character}QX" for character in password)  # so that any part of it is known when seen
    try:
        shown = masked(parse_url(url.format(password)))
    except InvalidUrlError as error:
        shown = str(error)
    assert "QX" not in shown
    assert "\n" not in shown


def test_an_at_sign_in_the_name_of_a_file_is_no_password() -> None:
    assert parse_url("sqlite:///runs/me@home.db").database == "runs/me@home.db"


def test_the_rest_of_the_url_is_shown() -> None:
    url = parse_url("postgresql://user:s3cret@host:5433/name?sslpassword=s3cret&sslmode=require")
    assert masked(url) == "postgresql+psycopg://user:***@host:5433/name"
