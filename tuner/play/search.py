"""The bandits of a round: how they are stored, seeded and played."""

from collections.abc import Sequence

from storage.creation import NewBandit
from tracer import Settings
from tuner.play.ahead import AheadRound
from tuner.play.asked import AskedRound
from tuner.play.batches import BatchRound
from tuner.play.rounds import BanditRound
from tuner.play.setting_bandit import SettingBandit
from tuner.policies import Bandit, BatchBandit
from tuner.spec.arms import ArmSet
from tuner.spec.job import JobSpec


def new_bandits(spec: JobSpec, base: Settings) -> list[NewBandit]:
    """The bandits of a round as they are stored; what one does not tune is held at the base."""
    return [NewBandit(arms.setting, arms.base, arms.candidates) for arms in spec.arm_sets(base)]


def bandit_seed(seed: int, number: int, index: int) -> tuple[int, int, int]:
    """The whole numbers that name a bandit.

    Args:
        seed: The job's.
        number: The round, from 1.
        index: Which of the round's bandits, from 0.
    """
    return (seed, number, index)


def make_round(spec: JobSpec, number: int, base: Settings, images: int) -> BanditRound:
    """A round on so many images, nothing of it played yet.

    Args:
        spec: The job.
        number: The round, from 1.
        base: What the settings that a bandit does not tune are held at.
        images: How many images the job sampled.
    """
    policy = spec.policy.make()
    batches = policy.batches()
    if batches is not None:
        from tuner.play.tpe import Suggestions  # Optuna takes a while to import

        grid, seed = spec.grid(base), bandit_seed(spec.seed, number, 0)
        bandit = BatchBandit(
            policy,
            batches,
            Suggestions(grid, seed),
            len(grid.arms.candidates),
            images,
            spec.policy.budget,
            seed,
            grid.arms.preference,
        )
        return BatchRound(grid.arms, bandit, images, spec.reward)
    bandits = [
        SettingBandit(arms, make_bandit(spec, arms, bandit_seed(spec.seed, number, index), images))
        for index, arms in enumerate(spec.arm_sets(base))
    ]
    way = AheadRound if spec.scoring == "all" else AskedRound
    return way(bandits, images, spec.reward)


def make_bandit(spec: JobSpec, arms: ArmSet, seed: Sequence[int], images: int) -> Bandit:
    """The bandit over a set of arms; it pulls nothing where all of them are equal by construction."""
    budget = 0 if arms.tied else spec.policy.budget
    return Bandit(spec.policy.make(), len(arms.candidates), images, budget, seed, arms.preference)
