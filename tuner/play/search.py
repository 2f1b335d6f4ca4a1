"""How a round looks for the weights: each weight by a bandit of its own, or all three together on their joint grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from storage.creation import NewArm, NewWeight
from storage.rows import Triple
from tracer import Alpha
from tuner.play.contest import Contest
from tuner.play.grid import WEIGHTS, Grid, make_grid
from tuner.play.joint import JointBandit, JointRound, OptunaTPE
from tuner.play.rounds import AheadRound, AskedRound, Round
from tuner.policies import Bandit, nearest_first
from tuner.spec.job import JobSpec


class Search(Protocol):
    """What a round's bandits are."""

    def weights(self, base: Alpha) -> list[NewWeight]:
        """The bandits of a round as they are stored; the weights that one does not tune are held at their base."""
        ...

    def round(self, number: int, base: Alpha, images: int) -> Round:
        """A round (from 1) on so many images, nothing of it played yet."""
        ...


@dataclass(frozen=True)
class EachWeight:
    """Three bandits, a weight each, the other two weights held at their base."""

    spec: JobSpec

    def weights(self, base: Alpha) -> list[NewWeight]:
        """A bandit a weight, its candidate values in the order of the job file."""
        return [
            NewWeight(weight, [NewArm(value, a.cur, a.suc, a.pre) for value, a in self._arms(weight, base)])
            for weight in WEIGHTS
        ]

    def round(self, number: int, base: Alpha, images: int) -> Round:
        """All three at once; one forward pass scores an image for the arms of all."""
        contests = [self._contest(index, number, base, images) for index in range(len(WEIGHTS))]
        way = AheadRound if self.spec.scoring == "all" else AskedRound
        return way(contests, images, self.spec.reward.iou)

    def _arms(self, weight: str, base: Alpha) -> list[tuple[float, Alpha]]:
        return [(value, replace(base, **{weight: value})) for value in getattr(self.spec.arms, weight)]

    def _contest(self, index: int, number: int, base: Alpha, images: int) -> Contest:
        spec, weight = self.spec, WEIGHTS[index]
        values, alphas = zip(*self._arms(weight, base), strict=True)
        budget = 0 if is_tied(spec, weight) else spec.policy.budget
        preference = nearest_first(values, getattr(spec.base, weight))
        bandit = Bandit(spec.policy.make(), len(values), images, budget, (spec.seed, number, index), preference)
        return Contest(weight, values, alphas, bandit)


@dataclass(frozen=True)
class Joint:
    """One bandit, whose arms are the triples of the joint grid."""

    spec: JobSpec

    def weights(self, base: Alpha) -> list[NewWeight]:
        """Every triple that differs from the others by construction."""
        return [NewWeight("joint", [NewArm(None, *triple) for triple in self.grid(base).triples])]

    def round(self, number: int, base: Alpha, images: int) -> Round:
        """Batches of trials that Optuna suggests."""
        spec, grid = self.spec, self.grid(base)
        policy = spec.policy.make()
        assert isinstance(policy, OptunaTPE)
        bandit = JointBandit(policy, grid, images, spec.policy.budget, (spec.seed, number))
        contest = Contest("joint", grid.triples, [Alpha(*triple) for triple in grid.triples], bandit)
        return JointRound([contest], images, spec.reward.iou)

    def grid(self, base: Alpha) -> Grid:
        """The triples, in the order of the arms."""
        values: Sequence[Sequence[float]] = [getattr(self.spec.arms, weight) for weight in WEIGHTS]
        return make_grid(values, Triple(base.cur, base.suc, base.pre), self.spec.tracer.successor)


def search_of(spec: JobSpec) -> Search:
    """The search that a job's policy asks for."""
    return Joint(spec) if spec.policy.joint else EachWeight(spec)


def is_tied(spec: JobSpec, weight: str) -> bool:
    """Whether all values of a weight rank alike, so that there is nothing to pull: α_suc, if ``successor: paper``."""
    return weight == "suc" and spec.tracer.successor == "paper"
