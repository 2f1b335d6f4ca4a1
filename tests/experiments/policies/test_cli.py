import json

import pytest
from click.testing import CliRunner

from experiments.policies.cli import policies


def run(*arguments: str) -> list[dict[str, object]]:
    result = CliRunner().invoke(policies, [*arguments, "-f", "json"])
    assert result.exit_code == 0, result.output
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


def test_regret_shows_a_row_a_policy_and_the_bound() -> None:
    rows = run("regret", "--means", "0.25,0.75", "--horizon", "50", "--runs", "2", "--policy", "uniform,ucb1")
    assert [row["policy"] for row in rows] == ["uniform", "ucb1", "0.91 ln T"]
    assert rows[0]["mean"] == pytest.approx(12.5)


def test_identify_compares_every_method_on_the_same_pools() -> None:
    rows = run("identify", "--means", "0.2,0.8", "--images", "40", "--runs", "3", "--correlation", "0,0.5")
    assert [(row["correlation"], row["method"]) for row in rows] == [
        (correlation, method)
        for correlation in (0, 0.5)
        for method in ("race", "uniform", "successive elimination", "KL-LUCB")
    ]


def test_safety_runs_the_arms_given_and_equal_ones() -> None:
    rows = run("safety", "--means", "0.2,0.8", "--images", "40", "--runs", "3", "--correlation", "0.5")
    assert [row["arms"] for row in rows] == ["as given", "all equal"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["regret", "--means", "0.5"], "at least two means"),
        (["regret", "--means", "0.5,1.5"], "between 0 and 1"),
        (["regret", "--means", "a,b"], "no list of numbers"),
        (["regret", "--policy", "ucb2"], "'ucb2' is unknown"),
        (["regret", "--horizon", "5"], "does not reach the 11 arms"),
        (["identify", "--correlation", "1"], r"lies in [0, 1)"),
        (["safety", "--delta", "0.7"], "0.7"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(policies, arguments)
    assert result.exit_code == 2
    assert message in result.stderr
