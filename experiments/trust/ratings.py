"""The answers of all raters as arrays, sides undone: what was chosen, and how every condition was scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.trust.answers import Answer, Rater
from experiments.trust.study import Showing, Study, Told


@dataclass(frozen=True)
class Attention:
    """How a rater did in the attention trials.

    Args:
        seen: How many were answered.
        right: How many of those as the rater was told.
    """

    seen: int
    right: int

    @property
    def failed(self) -> bool:
        """Whether more than half of the answers were not as told: such a rater is left out."""
        return 2 * self.right < self.seen


@dataclass(frozen=True, eq=False)
class Ratings:
    """What raters answered in the rated trials.

    Args:
        raters: Those who are counted.
        conditions: The names of what they compared.
        chosen: 1 for the condition chosen, 0 for the others, shape (raters, trials, conditions); NaN without answer.
        scores: 1 to 5, likewise.
    """

    raters: Sequence[Rater]
    conditions: Sequence[str]
    chosen: NDArray[np.float64]
    scores: NDArray[np.float64]


def gather_ratings(study: Study, raters: Sequence[Rater], *, everyone: bool = False) -> Ratings:
    """The answers of those raters who have answered a rated trial.

    Args:
        study: What they were shown.
        raters: Those of its answers.
        everyone: Count those who failed the attention trials too.
    """
    place = {trial: number for number, trial in enumerate(study.rated)}
    counted, chosen, scores = [], [], []
    for rater in raters:
        votes, given = (np.full((len(place), len(study.conditions)), np.nan) for _ in range(2))
        for number, answer in rater.answers.items():
            showing = study.sheets[rater.sheet][number]
            if showing.trial in place:
                sides = list(showing.sides)
                votes[place[showing.trial]] = np.arange(len(sides)) == best(showing, answer)
                given[place[showing.trial], sides] = answer.scores
        if np.isfinite(votes).any() and (everyone or not attention(study, rater).failed):
            counted.append(rater)
            chosen.append(votes)
            scores.append(given)
    shape = (len(counted), len(place), len(study.conditions))
    return Ratings(
        counted,
        [condition.name for condition in study.conditions],
        np.array(chosen).reshape(shape),
        np.array(scores).reshape(shape),
    )


def best(showing: Showing, answer: Answer) -> int:
    """The condition that was chosen: the one whose map stood at the place."""
    return showing.sides[answer.best]


def attention(study: Study, rater: Rater) -> Attention:
    """How a rater did in the attention trials that he or she has answered."""
    answers = [
        (told, answer)
        for number, answer in rater.answers.items()
        if (told := study.trials[study.sheets[rater.sheet][number].trial].told)
    ]
    return Attention(len(answers), sum(_as_told(told, answer) for told, answer in answers))


def _as_told(told: Told, answer: Answer) -> bool:
    return answer.best == told.best and set(answer.scores) == {told.score}
