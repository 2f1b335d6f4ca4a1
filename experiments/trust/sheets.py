"""The orders in which raters see the trials, and the sides that the maps stand on."""

from collections.abc import Sequence

import numpy as np

from experiments.trust.study import Sheet, Showing, Trial


def make_sheets(trials: Sequence[Trial], conditions: int, count: int, random: np.random.Generator) -> list[Sheet]:
    """Sheets of all trials: practice first, then the rated ones in an order of each sheet's own.

    Attention trials divide the rated ones into parts of equal length. The sides are a cyclic Latin square: within a
    sheet every condition stands equally often at every place (but for one, where the trials cannot be divided), and
    so it does for each image over as many sheets as there are conditions.

    Args:
        trials: What is shown.
        conditions: How many maps a trial has.
        count: How many sheets to make.
        random: Draws the orders and sides.
    """
    practice, rated, attention = (
        [place for place, trial in enumerate(trials) if trial.kind == kind]
        for kind in ("practice", "rated", "attention")
    )
    turns = random.permutation(np.arange(len(trials)) % conditions)
    turns[rated] = random.permutation(np.arange(len(rated)) % conditions)
    between = [round(len(rated) * (number + 1) / (len(attention) + 1)) for number in range(len(attention))]
    sheets = []
    for number in range(count):
        order = random.permutation(rated).tolist()
        for place, trial in reversed(list(zip(between, attention, strict=True))):
            order.insert(place, trial)
        sheets.append(
            tuple(
                Showing(trial=trial, sides=tuple(np.roll(np.arange(conditions), turns[trial] + number).tolist()))
                for trial in [*practice, *order]
            )
        )
    return sheets
