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
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str, complaint: str) -> None:
    with pytest.raises(InvalidUrlError, match=complaint) as refusal:
        parse_url(url)
    assert "s3cret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@settings(max_examples=30, deadline=None)
@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=8), query=st.booleans())
def test_no_message_shows_the_password(password: str, query: bool) -> None:
    place = {"query": {"password": password}} if query else {"password": password}
    url = URL.create("postgresql", "user", host="127.0.0.1", port=1, database="name", **place)  # type: ignore[arg-type]
    with pytest.raises(DatabaseError) as error:
        current(url.render_as_string(hide_password=False))
    assert password not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_rest_of_the_url_is_shown() -> None:
    url = parse_url("postgresql://user:s3cret@host:5433/name?sslpassword=s3cret&sslmode=require")
    assert masked(url) == "postgresql+psycopg://user:***@host:5433/name?sslmode=require&sslpassword=xxx"
