"""The bandits of a round: how they are stored and seeded."""

from tests.tuner.fakes import make_spec
from tuner.play.search import bandit_seed, make_round, new_bandits


def test_each_setting_has_a_bandit_that_holds_the_others_at_the_base() -> None:
    spec = make_spec(arms={"pre": [0.0, 1.0], "location": ["peak", "center"]})
    base = spec.settings.changed({"pre": 0.25})
    pre, location = new_bandits(spec, base)
    assert (pre.setting, pre.candidates, pre.base["location"]) == ("pre", (0.0, 1.0), "peak")
    assert (location.setting, location.candidates, location.base["pre"]) == ("location", ("peak", "center"), 0.25)


def test_a_joint_search_has_one_bandit() -> None:
    spec = make_spec(search="joint", arms={"pre": [0.0, 1.0], "location": ["peak", "center"]})
    (bandit,) = new_bandits(spec, spec.settings)
    assert (bandit.setting, len(bandit.candidates)) == ("joint", 4)


def test_no_two_bandits_have_the_same_seed() -> None:
    seeds = [bandit_seed(seed, number, index) for seed in (0, 1) for number in (1, 2) for index in (0, 1, 2)]
    assert len(set(seeds)) == len(seeds)


def test_arms_that_are_equal_by_construction_are_tied_and_the_others_have_their_budget() -> None:
    spec = make_spec(arms={"suc": [0.0, 1.0], "cut": [0.2, 0.3], "pre": [0.0, 1.0]}, tracer={"successor": "paper"})
    budgets = {one.setting: one.bandit.budget for one in make_round(spec, 1, spec.settings, 10).bandits}
    assert budgets == {"suc": 0, "pre": 60, "cut": 0}
