"""Why a bandit ended."""

import pytest

from storage.rows import BanditRow
from tuner.results.endings import ending


@pytest.mark.parametrize(
    ("outcome", "pulls", "said"),
    [
        (
            "exhausted",
            100,
            "it ended because all 100 pulls of its budget were made, before one arm was known to be best",
        ),
        ("exhausted", 90, "it ended after 90 of at most 100 pulls, before one arm was known to be best"),
        ("decided", 60, "it ended early, after 60 of at most 100 pulls, because one arm was known to be best"),
        ("epsilon", 60, "it ended early, after 60 of at most 100 pulls, because what may be best was all but equal"),
        ("decided", 100, "one arm was known to be best when all 100 pulls of its budget were made"),
    ],
)
def test_an_ending_is_early_or_that_of_the_budget(outcome: str, pulls: int, said: str) -> None:
    bandit = BanditRow(1, 1, "depth", {}, outcome, 0, 16, 0.95, (16, 8), pulls, 50)  # type: ignore[arg-type]
    assert str(ending(bandit, 100)).startswith(said)


def test_what_was_never_pulled_or_is_at_play_has_no_ending() -> None:
    assert ending(BanditRow(1, 1, "suc", {}, "tied", 0, 1, 1.0, (0, 1), 0, 0), 100) is None
    assert ending(BanditRow(1, 1, "suc", {}, None, None, None, None, (), 50, 20), 100) is None
