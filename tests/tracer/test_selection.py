"""The choice among candidates (Eq. 1, 4 and 5), on candidates written out by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.config import Selection
from tracer.evidence import Alpha, as_table
from tracer.neurons import Neurons, Slots
from tracer.selection import Lister, Supports, select

SIZE = 8


def listing(evidence: dict[int, dict[int, float]]) -> Callable[..., None]:
    """Fills in Z_cur of the candidates of each selected neuron Θ."""

    def fill(index: np.ndarray, _: np.ndarray, found: tuple[np.ndarray, ...]) -> None:
        places, current, spans, best = found
        stop = 0
        for row, theta in enumerate(index.tolist()):
            listed = evidence[theta]
            start, stop = stop, stop + len(listed)
            places[start:stop], current[start:stop] = list(listed), list(listed.values())
            spans[row], best[row] = (start, stop), start + int(np.argmax(list(listed.values())))

    return fill


def chosen(
    evidence: dict[int, dict[int, float]],
    alpha: Alpha,
    selection: Selection = 1,
    *,
    support: dict[int, float] | None = None,
    literal: bool = False,
    by_score: bool = False,
) -> dict[int, float]:
    """The shares that the selected neurons hand on, each with an equal share of 1.

    Args:
        evidence: Of each selected neuron Θ, Z_cur of its candidates by their places.
        alpha: The weights.
        selection: How many each Θ chooses.
        support: Z_pre by place; 0 where it is not given.
        literal: Whether α_suc is read as the paper prints it.
        by_score: Whether shares follow Ω.
    """

    values = np.zeros(SIZE)
    for place, value in (support or {}).items():
        values[place] = value
    selected = Neurons(np.array(sorted(evidence), np.int32), np.full((len(evidence), 1), 1 / len(evidence)))
    found = select(
        selected,
        Lister(SIZE, np.dtype(np.float64), listing(evidence)),
        Supports(SIZE, lambda index: values[index], None, np.dtype(np.float64)),
        as_table([alpha]),
        Slots(SIZE),
        literal=literal,
        selection=selection,
        by_score=by_score,
    )
    return dict(zip(found.index.tolist(), found.shares[:, 0].tolist(), strict=True))


def test_the_highest_evidence_wins_where_it_alone_counts() -> None:
    assert chosen({0: {1: 2.0, 3: 5.0}}, Alpha(1, 0, 0), support={1: 100.0}) == {3: 1.0}


def test_the_preceding_layer_can_turn_the_choice() -> None:
    assert chosen({0: {1: 2.0, 3: 5.0}}, Alpha(1, 0, 1), support={1: 4.0, 3: 0.5}) == {1: 1.0}


def test_the_first_of_equals_wins() -> None:
    assert chosen({0: {5: 2.0, 1: 2.0}}, Alpha(1, 0, 0)) == {5: 1.0}


def test_a_candidate_that_leads_for_several_is_raised_by_its_successors() -> None:
    """Candidate 1 is the strongest of two Θ, so Z_suc = 2 there; for the third Θ that outweighs a stronger one."""
    evidence = {0: {1: 5.0}, 1: {1: 5.0}, 2: {1: 3.0, 4: 4.0}}
    assert chosen(evidence, Alpha(1, 0, 0)) == pytest.approx({1: 2 / 3, 4: 1 / 3})
    assert chosen(evidence, Alpha(1, 1, 0)) == pytest.approx({1: 1.0})


@pytest.mark.parametrize(
    ("selection", "expected"),
    [(2, {1: 0.6, 3: 0.4}), (0.5, {1: 1.0}), (0.8, {1: 0.6, 3: 0.4}), ("positive", {1: 0.5, 3: 1 / 3, 5: 1 / 6})],
)
def test_shares_are_divided_by_evidence_among_those_chosen(selection: Selection, expected: dict[int, float]) -> None:
    assert chosen({0: {1: 3.0, 3: 2.0, 5: 1.0}}, Alpha(1, 0, 0), selection) == pytest.approx(expected)


def test_shares_by_score_follow_omega() -> None:
    shares = chosen({0: {1: 3.0, 3: 1.0}}, Alpha(1, 0, 1), "positive", support={1: 1.0, 3: 3.0}, by_score=True)
    assert shares == pytest.approx({1: 0.5, 3: 0.5})


def test_the_papers_reading_of_suc_changes_no_ranking_of_a_lone_neuron() -> None:
    evidence = {0: {1: 2.0, 3: 5.0}}
    assert all(chosen(evidence, Alpha(1, suc, 0), literal=True) == {3: 1.0} for suc in (0.1, 1.0, 7.0))


NUMBERS = st.integers(1, 4).map(float)
"""Few and small, so that ties are many and every sum and product is exact."""


@st.composite
def choices(draw: st.DrawFn) -> tuple[dict[int, dict[int, float]], dict[int, float], list[Alpha], np.ndarray]:
    """Evidence of some Θ, Z_pre of their candidates, weights, and which track has selected which Θ."""
    listed = st.dictionaries(st.integers(0, SIZE - 1), NUMBERS, min_size=1, max_size=SIZE)
    evidence = dict(enumerate(draw(st.lists(listed, min_size=1, max_size=5))))
    support = dict(enumerate(draw(st.lists(st.integers(-3, 3).map(float), min_size=SIZE, max_size=SIZE))))
    weight = st.sampled_from((0.0, 0.5, 1.0, 2.0))
    alphas = draw(st.lists(st.builds(Alpha, weight, weight, weight), min_size=1, max_size=6))
    selected = draw(st.lists(st.booleans(), min_size=len(evidence) * len(alphas), max_size=len(evidence) * len(alphas)))
    return evidence, support, alphas, np.array(selected, float).reshape(len(evidence), len(alphas))


@pytest.mark.parametrize("few", [0, 100], ids=["bounds", "exact"])
@given(case=choices(), slack=st.sampled_from((0.0, 1.0, 5.0)), literal=st.booleans())
def test_each_theta_chooses_as_plain_loops_do(few: int, case: Any, slack: float, literal: bool) -> None:
    evidence, support, alphas, selected = case
    values = np.array([support[place] for place in range(SIZE)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracer.selection.FEW", few)
        patch.setattr("tracer.selection.SHARED", 1e9)
        found = select(
            Neurons(np.arange(len(evidence), dtype=np.int32), selected / 2),
            Lister(SIZE, np.dtype(np.float64), listing(evidence)),
            Supports(SIZE, lambda index: values[index], lambda index: values[index] + slack, np.dtype(np.float64)),
            as_table(alphas),
            Slots(SIZE),
            literal=literal,
            selection=1,
        )
    expected = np.zeros((SIZE, len(alphas)))
    for track, alpha in enumerate(alphas):
        own = [theta for theta in evidence if selected[theta, track]]
        leading = [max(evidence[theta], key=evidence[theta].__getitem__) for theta in own]
        for theta in own:
            best, highest = -1, -np.inf
            for place, current in evidence[theta].items():
                successors = max(1, leading.count(place))
                gain = alpha.suc * successors if literal else 1 - alpha.suc + alpha.suc * successors
                omega = gain * (alpha.cur * current + alpha.pre * values[place])
                if omega > highest:
                    best, highest = place, omega
            expected[best, track] += 0.5
    shares = np.zeros_like(expected)
    shares[found.index] = found.shares
    assert shares.tolist() == expected.tolist()
