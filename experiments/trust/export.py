"""Answers as a table with jsPsych's names of columns, which tools for behavioural experiments read."""

import json
from collections.abc import Sequence

from experiments.trust.answers import Rater
from experiments.trust.ratings import best
from experiments.trust.study import STIMULI, Study
from tuner.results.table import Row


def jspsych_rows(study: Study, raters: Sequence[Rater]) -> list[Row]:
    """A row an answer, in the order in which each rater gave them.

    ``trial_type``, ``trial_index``, ``rt``, ``time_elapsed``, ``stimulus`` and ``response`` are what jsPsych's plugin
    ``survey-html-form`` records: the response holds the fields of the form. ``time_elapsed`` adds up the ``rt`` so
    far: times of day are not kept. The columns after these say in plain what was shown and answered.
    """
    rows: list[Row] = []
    for rater in raters:
        elapsed = 0
        for number, answer in sorted(rater.answers.items()):
            showing = study.sheets[rater.sheet][number]
            trial = study.trials[showing.trial]
            names = [study.conditions[condition].name for condition in showing.sides]
            elapsed += answer.rt or 0
            fields = {"best": answer.best + 1} | {
                f"score_{place}": score for place, score in enumerate(answer.scores, 1)
            }
            rows.append(
                {
                    "subject_id": rater.id[:12],
                    "trial_type": "survey-html-form",
                    "trial_index": number,
                    "time_elapsed": elapsed,
                    "rt": answer.rt,
                    "stimulus": f"{STIMULI}/{trial.picture.file}",
                    "response": json.dumps({name: str(value) for name, value in fields.items()}),
                    "task": trial.kind,
                    "image": trial.image,
                    "object": trial.object,
                    "sides": json.dumps(names),
                    "best": study.conditions[best(showing, answer)].name,
                    **{
                        f"score_{condition.name}": answer.scores[showing.sides.index(place)]
                        for place, condition in enumerate(study.conditions)
                    },
                }
            )
    return rows
