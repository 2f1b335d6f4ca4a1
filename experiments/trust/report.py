"""What raters preferred, how sure that is, and how far they agree."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.result import Measured, Result
from experiments.trust.agreement import alpha
from experiments.trust.answers import Rater
from experiments.trust.inference import EXACT, PATTERNS, holm, interval, rater_means, resampled, sign_flip
from experiments.trust.ratings import Ratings, attention, gather_ratings
from experiments.trust.study import Study
from tuner.results.table import Row

LEVEL = 0.05
"""A preference is found where the test's p is below, and the bootstrap's interval does not hold 0."""

CAVEAT = (
    "This is preference, not faithfulness: people say which map fits the object as they see it, and a map may please "
    "them though the network looked elsewhere."
)

_COLUMNS = {
    "condition": "the network or method that made the map",
    "raters": "raters counted",
    "images": "images rated",
    "votes": "how often it was chosen as the map that describes the object best",
    "raters_for": "raters who chose it on more images than any other",
    "share": "mean over raters of the share of images on which they chose it (percent)",
    "share_se": "standard error of share: bootstrap over raters and images",
    "share_difference": "share less that of the first condition (percentage points)",
    "share_low": "lower end of its 95% interval: bootstrap over raters and images",
    "share_high": "its upper end",
    "share_p": "sign-flip test by rater, two-sided, after Holm: how probable so large a difference is by chance",
    "score": "mean over raters of the score they gave it, 1 to 5",
    "reliability": "the score normalised to 0 to 100: 25 times (score − 1)",
    "reliability_se": "standard error of reliability: bootstrap over raters and images",
    "reliability_difference": "reliability less that of the first condition",
    "reliability_low": "lower end of its 95% interval: bootstrap over raters and images",
    "reliability_high": "its upper end",
    "reliability_p": "sign-flip test by rater, as for share",
}


def report(study: Study, raters: Sequence[Rater], seed: int, *, everyone: bool = False) -> Result:
    """What the answers to a study come to.

    Args:
        study: What raters were shown.
        raters: What they answered.
        seed: Of the bootstrap, and of the test with many raters.
        everyone: Count raters who failed the attention trials too.
    """
    ratings = gather_ratings(study, raters, everyone=everyone)
    title = "Which map do people trust?"
    people = _raters(study, raters, ratings)
    if not ratings.raters:
        return Result(title, f"No rater has answered a trial that counts yet. {CAVEAT}", (people,))
    rows = _rows(ratings, np.random.default_rng(seed))
    table = Measured("Votes and reliability", rows, _notes(study, ratings), columns=_COLUMNS)
    verdict = " ".join([*_sentences(rows), CAVEAT])
    return Result(title, verdict, (table, _agreement(ratings), people))


def _rows(ratings: Ratings, random: np.random.Generator) -> list[Row]:
    """A row a condition; differences are to the first."""
    measures = {"share": 100 * ratings.chosen, "reliability": 25 * (ratings.scores - 1)}
    votes = np.nansum(ratings.chosen, axis=1)
    leading = votes == votes.max(1, keepdims=True)
    alone = leading & (leading.sum(1, keepdims=True) == 1)
    rows: list[Row] = []
    for place, name in enumerate(ratings.conditions):
        row: Row = {
            "condition": name,
            "raters": len(ratings.raters),
            "images": ratings.chosen.shape[1],
            "votes": int(votes[:, place].sum()),
            "raters_for": int(alone[:, place].sum()),
            "score": float(np.nanmean(rater_means(ratings.scores[:, :, place]))),
        }
        for measure, cells in measures.items():
            row |= _figures(measure, cells[:, :, place], cells[:, :, 0] if place else None, random)
        rows.append({column: row[column] for column in _COLUMNS})
    for measure in measures:
        raised = holm(np.array([row[f"{measure}_p"] for row in rows[1:]]))
        for row, p in zip(rows[1:], raised.tolist(), strict=True):
            row[f"{measure}_p"] = p
    return rows


def _figures(
    measure: str, cells: NDArray[np.float64], first: NDArray[np.float64] | None, random: np.random.Generator
) -> Row:
    """A measure of one condition, and its difference to the first one; of the first itself there is none."""
    row = {
        measure: float(np.nanmean(rater_means(cells))),
        f"{measure}_se": float(np.nanstd(resampled(cells, random))),
    }
    names = [f"{measure}_{end}" for end in ("difference", "low", "high", "p")]
    if first is None:
        return row | dict.fromkeys(names, math.nan)
    gains = cells - first
    means = rater_means(gains)
    found = (float(means.mean()), *interval(resampled(gains, random)), sign_flip(means, random))
    return row | dict(zip(names, found, strict=True))


def _sentences(rows: Sequence[Row]) -> list[str]:
    """For every condition but the first, whether raters preferred it or the first, and trusted it more."""
    first = rows[0]
    told = [f"{first['raters']} raters judged maps of {first['images']} images."]
    for row in rows[1:]:
        for measure, found, none in (
            ("share", "was chosen more often than", "No preference was found between"),
            ("reliability", "was scored as more reliable than", "No difference in reliability was found between"),
        ):
            values = "{:.3g} and {:.3g}".format
            more, less = sorted((row, first), key=lambda each: -each[measure])
            unit = "% of votes" if measure == "share" else " of 100"
            figures = (
                f"difference {row[f'{measure}_difference']:+.3g}, 95% interval {row[f'{measure}_low']:+.3g} to "
                f"{row[f'{measure}_high']:+.3g}, p = {row[f'{measure}_p']:.2g}"
            )
            amounts = values(more[measure], less[measure]) + unit
            if is_found(row, measure):
                told.append(f"{more['condition']} {found} {less['condition']}: {amounts} ({figures}).")
            else:
                told.append(f"{none} {more['condition']} and {less['condition']}: {amounts} ({figures}).")
    return told


def is_found(row: Row, measure: str) -> bool:
    """Whether the answers show a difference to the first condition: by the test, and by the interval."""
    apart = row[f"{measure}_low"] > 0 or row[f"{measure}_high"] < 0
    return bool(apart and row[f"{measure}_p"] < LEVEL)


def _notes(study: Study, ratings: Ratings) -> tuple[str, ...]:
    count = len(ratings.raters)
    ways = "every way to turn" if count <= EXACT else f"{PATTERNS:,} ways to turn"
    notes = [
        f"Differences are to {ratings.conditions[0]}; one is found where p < {LEVEL:g} and its interval leaves out 0.",
        f"The test looks at {ways} the signs of the raters' mean differences.",
        "Reliability is 25 · (score − 1), so that 1 is 0 and 5 is 100; the paper does not say how it normalised.",
    ]
    if 2 ** (1 - count) >= LEVEL:
        notes.append(
            f"With {count} raters the test's p is at least {2.0 ** (1 - count):.2g}: more are needed to find any."
        )
    notes += [
        f"Settings of {each.name} were learned on {each.seen} of these images: that flatters it."
        for each in study.conditions
        if each.seen
    ]
    return tuple(notes)


def _agreement(ratings: Ratings) -> Measured:
    """α of the votes, and of the scores."""
    count = len(ratings.raters)
    answered = np.isfinite(ratings.chosen).all(2)
    votes = np.where(answered, np.nan_to_num(ratings.chosen).argmax(2), np.nan)
    scores = ratings.scores.reshape(count, -1)
    rows = [
        {"question": "which map describes the object best", "level": "nominal", "alpha": alpha(votes, "nominal")},
        {"question": "how reliable the map is", "level": "ordinal", "alpha": alpha(scores, "ordinal")},
    ]
    return Measured(
        "Agreement between raters",
        [row | {"raters": count} for row in rows],
        ("Krippendorff's α: 1 where all agree, 0 where they agree as by chance; .8 is called reliable.",),
        columns={
            "question": "what raters were asked",
            "level": "what the answers are: names, or ranks",
            "alpha": "Krippendorff's α",
            "raters": "raters counted",
        },
    )


def _raters(study: Study, raters: Sequence[Rater], ratings: Ratings) -> Measured:
    """A row a rater, whether he or she is counted."""
    counted = {rater.id for rater in ratings.raters}
    rows = [
        {
            "rater": rater.id[:12],
            "sheet": rater.sheet,
            "answers": len(rater.answers),
            "of": len(study.sheets[rater.sheet]),
            "attention": f"{attention(study, rater).right} of {attention(study, rater).seen}",
            "counted": rater.id in counted,
        }
        for rater in raters
    ]
    return Measured(
        "Raters",
        rows,
        (
            "Not counted: who has answered no rated trial, and who failed more than half of the attention trials.",
            "--everyone counts the latter too.",
        ),
        columns={
            "rater": "a hash; it names nobody",
            "sheet": "the order of trials",
            "answers": "trials answered",
            "of": "trials there are",
            "attention": "attention trials answered as told, of those answered",
            "counted": "whether the answers are in the other tables",
        },
    )
