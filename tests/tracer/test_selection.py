"""The choice among candidates (Eq. 1, 4 and 5), on candidates written out by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.config import Selection
from tracer.evidence import Alpha, as_table
from tracer.neurons import Neurons, Slots
from tracer.selection import Lister, Supports, select

SIZE = 8


def listing(evidence: dict[int, dict[int, float]], *, backwards: bool = False) -> Callable[..., None]:
    """Fills in Z_cur of the candidates of each selected neuron Θ, those of the last first where asked."""

    def fill(index: np.ndarray, _: np.ndarray, found: tuple[np.ndarray, ...]) -> None:
        places, current, spans, best = found
        stop = 0
        for row, theta in sorted(enumerate(index.tolist()), reverse=backwards):
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
"""Few and small, so that ties are many and every Ω is exact."""
WEIGHTS = st.sampled_from((0.0, 0.5, 1.0, 2.0))


@dataclass(frozen=True)
class Choice:
    """What the Θ of a layer are to choose from.

    Args:
        evidence: Of each Θ, Z_cur of its candidates by their places, in the order that breaks ties.
        alphas: The weights of each track.
        shares: Of each Θ in each track.
        selection: How many each Θ chooses.
        literal: Whether α_suc is read as the paper prints it.
        by_score: Whether shares follow Ω.
        backwards: Whether the candidates of the last Θ are listed first.
    """

    evidence: dict[int, dict[int, float]]
    alphas: list[Alpha]
    shares: np.ndarray
    selection: Selection
    literal: bool
    by_score: bool
    backwards: bool

    def plainly(self, support: np.ndarray) -> np.ndarray:
        """The shares of every place and track, one Θ after the other."""
        given = np.zeros((SIZE, len(self.alphas)))
        for track, alpha in enumerate(self.alphas):
            chosen = [theta for theta in self.evidence if self.shares[theta, track]]
            strongest = [max(self.evidence[theta], key=self.evidence[theta].__getitem__) for theta in chosen]
            for theta in chosen:
                omegas = {}
                for place, current in self.evidence[theta].items():
                    successors = max(1, strongest.count(place))
                    gain = alpha.suc * successors if self.literal else 1 - alpha.suc + alpha.suc * successors
                    omegas[place] = gain * (alpha.cur * current + alpha.pre * support[place])
                for place, part in self._parts(self.evidence[theta], omegas).items():
                    given[place, track] += self.shares[theta, track] * part
        return given

    def _parts(self, evidence: dict[int, float], omegas: dict[int, float]) -> dict[int, float]:
        """What part of its share a Θ hands to each candidate that it takes."""
        taken = sorted(evidence, key=lambda place: -omegas[place])
        if isinstance(self.selection, int):
            taken = taken[: self.selection]
        elif isinstance(self.selection, float):
            held = np.cumsum([evidence[place] for place in taken])
            taken = taken[: int(np.searchsorted(held, self.selection * held[-1])) + 1]
        weights = {place: max(omegas[place], 0.0) for place in taken}
        if len(taken) == 1 or not self.by_score or not any(weights.values()):
            weights = {place: evidence[place] for place in taken}
        return {place: weight / sum(weights.values()) for place, weight in weights.items()}


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    listed = st.dictionaries(st.integers(0, SIZE - 1), NUMBERS, min_size=1, max_size=SIZE)
    evidence = dict(enumerate(draw(st.lists(listed, min_size=1, max_size=5))))
    alphas = draw(st.lists(st.builds(Alpha, WEIGHTS, WEIGHTS, WEIGHTS), min_size=1, max_size=6))
    size = len(evidence) * len(alphas)
    shares = draw(st.lists(st.sampled_from((0.0, 0.5, 1.0)), min_size=size, max_size=size))
    selection: Selection = draw(st.sampled_from((1, 1, 2, 3, 0.5, 0.75, "positive")))
    flags = [draw(st.booleans()) for _ in range(3)]
    return Choice(evidence, alphas, np.array(shares).reshape(len(evidence), len(alphas)), selection, *flags)


@given(
    layers=st.lists(choices(), min_size=1, max_size=3),
    support=st.lists(st.integers(-3, 3).map(float), min_size=SIZE, max_size=SIZE),
    slack=st.sampled_from((None, 0.0, 1.0, 5.0)),
    few=st.sampled_from((0, 2, 100)),
    shared=st.sampled_from((1, 3, 10**9)),
    chunk=st.sampled_from((1, 2 * SIZE, 1 << 22)),
)
def test_every_theta_chooses_as_plain_loops_do(
    layers: list[Choice], support: list[float], slack: float | None, few: int, shared: int, chunk: int
) -> None:
    """Several layers choose among the neurons of one operation, of whose Z_pre each learns what it needs."""
    values, computed = np.array(support), []

    def compute(index: np.ndarray) -> np.ndarray:
        computed.extend(index.tolist())
        return values[index]

    def bound(index: np.ndarray) -> np.ndarray:
        assert slack is not None
        return values[index] + slack

    supports = Supports(SIZE, compute, None if slack is None else bound, np.dtype(np.float64))
    slots = Slots(SIZE)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("FEW", few), ("SHARED", shared), ("CHUNK", chunk)):
            patch.setattr(f"tracer.selection.{name}", value)
        for layer in layers:
            found = select(
                Neurons(np.arange(len(layer.evidence), dtype=np.int32), layer.shares),
                Lister(SIZE, np.dtype(np.float64), listing(layer.evidence, backwards=layer.backwards)),
                supports,
                as_table(layer.alphas),
                slots,
                literal=layer.literal,
                selection=layer.selection,
                by_score=layer.by_score,
            )
            shares = np.zeros((SIZE, len(layer.alphas)))
            shares[found.index] = found.shares
            np.testing.assert_allclose(shares, layer.plainly(values), rtol=1e-12, atol=1e-12)
            assert np.all(np.diff(found.index) > 0)
            assert not slots.first.any()
            assert not slots.second.any()
    assert len(set(computed)) == len(computed), "a Z_pre was computed twice"
