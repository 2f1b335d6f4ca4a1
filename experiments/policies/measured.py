"""How the arms of a real job agree, and what the race would have made of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.models import Candidate
from tuner.policies import make_policy, replay


@dataclass(frozen=True)
class Agreement:
    """The arms of one bandit on the images that all of them were scored on.

    Args:
        setting: What it tunes.
        images: Those images.
        arms: K.
        best: Highest mean of an arm.
        worst: Lowest mean of an arm.
        correlation: Of two arms' rewards over the images, the median over the pairs of arms that both vary; None where
            there is no such pair.
        least_correlation: The lowest of those pairs.
        discordant: Share of images where just one of two arms succeeds, the mean over the pairs.
        race_images: Images the race went through until it was decided, or all of them.
        race_share: Its traces, as a share of the full table's.
        survivors: Candidates of the arms that the race did not drop.
        best_survived: Whether an arm with the most successes on the images is among them.
    """

    setting: str
    images: int
    arms: int
    best: float
    worst: float
    correlation: float | None
    least_correlation: float | None
    discordant: float
    race_images: int
    race_share: float
    survivors: list[Candidate]
    best_survived: bool


def agreement(
    setting: str,
    candidates: Sequence[Candidate],
    outcomes: NDArray[np.bool_],
    *,
    preference: Sequence[int] | None = None,
    delta: float = 0.05,
) -> Agreement:
    """Measure how arms agree, and run the race on them.

    Args:
        setting: What the bandit tunes.
        candidates: What each arm tries.
        outcomes: Whether each arm succeeded on each image, bool of shape (images, K) with K at least 2, in the order of
            the permutation.
        preference: The arms, those that win ties first.
        delta: Of the race.
    """
    images, arms = outcomes.shape
    pairs = np.triu_indices(arms, 1)
    varying = outcomes[:, outcomes.any(axis=0) & ~outcomes.all(axis=0)]
    correlations = np.array([])
    if varying.shape[1] > 1:
        correlations = np.atleast_2d(np.corrcoef(varying, rowvar=False))[np.triu_indices(varying.shape[1], 1)]
    discordant = (outcomes[:, :, None] ^ outcomes[:, None, :]).mean(axis=0)[pairs]
    race = replay(make_policy("race", delta=delta), outcomes, outcomes.size, (0,), preference)
    totals = outcomes.sum(axis=0)
    left = race.survivors.tolist()
    return Agreement(
        setting=setting,
        images=images,
        arms=arms,
        best=float(totals.max() / images),
        worst=float(totals.min() / images),
        correlation=float(np.median(correlations)) if len(correlations) else None,
        least_correlation=float(correlations.min()) if len(correlations) else None,
        discordant=float(discordant.mean()),
        race_images=int(race.pulls.max()),
        race_share=float(race.pulls.sum() / outcomes.size),
        survivors=[candidates[arm] for arm in left],
        best_survived=bool((totals[left] == totals.max()).any()),
    )
