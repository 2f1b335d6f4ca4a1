"""One bandit as it is played: the same stepping for a live job, a resumed one and a replay."""

from collections import deque
from collections.abc import Sequence
from operator import or_
from typing import Any

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from tuner.policies.base import Counts, Policy
from tuner.policies.duels import Duels, make_duels
from tuner.policies.verdict import verdict

CHECK = 10
"""Images between two looks at whether the arms left in a race are within epsilon: each look costs a millisecond."""


class Bandit:
    """K arms, a policy and what the pulls so far returned.

    The next arm depends on the recorded pulls, the pulls in flight and the seed alone: the randomness of pull t comes
    from (seed, t), not from a running stream. So recording the stored pulls again, in their order, brings an
    interrupted bandit back exactly.

    Args:
        policy: Chooses the arms.
        arms: K.
        images: Images that every arm may be pulled on, once each.
        budget: Pulls at most; 0 where there is nothing to compare, because all arms are equal by construction.
        seed: Whole numbers that name this bandit, as many for each: the job's seed, the round, the setting.
        preference: The arms, those that win ties first; the order of the arms without it.

    Raises:
        ValueError: If there is no arm, or the budget does not reach every arm.
    """

    def __init__(
        self,
        policy: Policy,
        arms: int,
        images: int,
        budget: int,
        seed: Sequence[int],
        preference: Sequence[int] | None = None,
    ) -> None:
        if arms < 1:
            raise ValueError("a bandit needs at least one arm")
        least = policy.least_budget(arms, images)
        if 0 < budget < least:
            raise ValueError(f"a budget of {budget} pulls does not reach the {arms} arms: give at least {least}")
        self.policy = policy
        self.budget = budget
        self.images = images
        """May shrink, when images turn out not to be usable."""
        self.preference = tuple(preference) if preference is not None else tuple(range(arms))
        self._pulls = [0] * arms
        self._most = 0  # of the pulls
        self._successes = [0] * arms
        self._pending = [0] * arms
        self._pulled = 0
        self._flying = 0
        self._plan: deque[int] = deque()
        """What the policy chose to pull next, if the arms stay open."""
        self._ended = False
        self._none = (False,) * arms
        self._random = _Randomness(seed)
        self._left_out: set[int] = set()
        self._void = [0] * arms  # recorded pulls on images that were left out later
        self._void_successes = [0] * arms
        self.duels = self._new_duels()
        """The arms against one another; part of delta is kept for epsilon where that is asked for."""

    @property
    def arms(self) -> int:
        """K."""
        return len(self._pulls)

    @property
    def pulled(self) -> int:
        """Recorded pulls of all arms."""
        return self._pulled

    @property
    def pulls(self) -> NDArray[np.int64]:
        """Recorded pulls per arm, shape (K,)."""
        return np.array(self._pulls, dtype=np.int64)

    @property
    def successes(self) -> NDArray[np.int64]:
        """Recorded pulls with reward 1 per arm, shape (K,)."""
        return np.array(self._successes, dtype=np.int64)

    @property
    def usable_pulls(self) -> NDArray[np.int64]:
        """Recorded pulls per arm on images that are still in use, shape (K,)."""
        return self.pulls - np.array(self._void, dtype=np.int64)

    @property
    def usable_successes(self) -> NDArray[np.int64]:
        """Those of them with reward 1, shape (K,)."""
        return self.successes - np.array(self._void_successes, dtype=np.int64)

    @property
    def most(self) -> int:
        """Recorded pulls of the arm with the most."""
        return self._most

    def pulls_of(self, arm: int) -> int:
        """Recorded pulls of an arm."""
        return self._pulls[arm]

    def successes_of(self, arm: int) -> int:
        """Recorded pulls of an arm with reward 1."""
        return self._successes[arm]

    @property
    def dropped(self) -> Sequence[bool]:
        """Whether an arm is out of the running, K of them: a race drops arms that are beaten, others drop none."""
        return self.duels.beaten if self.policy.drops else self._none

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Whether an arm is still in the running, shape (K,)."""
        return ~np.array(self.dropped, dtype=np.bool_)

    @property
    def counts(self) -> Counts:
        """What the policy sees now."""
        closed = self._none if self._most + self._flying < self.images else self._spent
        if self.dropped is not self._none:
            closed = tuple(map(or_, closed, self.dropped))
        return Counts(tuple(self._pulls), tuple(self._successes), tuple(self._pending), closed, self.preference)

    @property
    def free(self) -> bool:
        """Whether another pull may be chosen now."""
        return not self._ended and self._pulled + self._flying < self.budget and not all(self.counts.closed)

    @property
    def done(self) -> bool:
        """Whether the last pull was recorded: the budget is spent, no image is left, or the race is decided."""
        if self._ended or self._pulled >= self.budget:
            return True
        return self._flying == 0 and self._most >= self.images and all(self.counts.closed)

    def choose(self) -> int:
        """The arm to pull next; the same until a pull begins, is recorded or withdrawn.

        Raises:
            ValueError: If no arm may be pulled any more.
        """
        plan = self._plan
        while plan and self._is_closed(plan[0]):
            plan.popleft()
        if not plan:
            random = self._random
            rng = random.at(self._pulled + self._flying) if self.policy.draws else random.generator
            plan.extend(self.policy.plan(self.counts, rng))
        return plan[0]

    def begin(self, arm: int) -> None:
        """Note that a pull is in flight."""
        self._pending[arm] += 1
        self._flying += 1
        self._follow(arm)

    def withdraw(self, arm: int) -> None:
        """Note that a pull is no longer in flight: it is recorded next, or it failed."""
        self._pending[arm] -= 1
        self._flying -= 1
        self._plan.clear()

    def record(self, arm: int, *, success: bool, image: int | None = None) -> None:
        """Take in the reward of a pull.

        Args:
            arm: The arm pulled.
            success: Whether the reward is 1.
            image: What identifies the image among those of this bandit; the n-th image at the n-th pull without it.
        """
        image = self._pulls[arm] if image is None else image
        if image in self._left_out:
            self._void[arm] += 1
            self._void_successes[arm] += success
        else:
            self.duels.record(arm, image, success=success)
        self._pulls[arm] += 1
        self._most = max(self._most, self._pulls[arm])
        self._successes[arm] += success
        self._pulled += 1
        self._follow(arm)
        self._look_for_the_end()

    def leave_out(self, image: int) -> None:
        """Forget what arms did on an image, because it turned out not to be usable for all of them.

        Its pulls stay recorded, but they bring no arm nearer to having seen every image. The duels are fought again
        without it, so that they come out as if it had never been among the images.
        """
        self._left_out.add(image)
        outcomes = list(self.duels.outcomes())
        if not any(seen == image for seen, _, _ in outcomes):
            return
        self.duels = self._new_duels()
        for seen, arm, success in outcomes:
            if seen != image:
                self.duels.record(arm, seen, success=success)
            else:
                self._void[arm] += 1
                self._void_successes[arm] += success
        self._plan.clear()
        self._look_for_the_end()

    def _new_duels(self) -> Duels:
        return make_duels(self.arms, self.policy.delta / 2 if self.policy.epsilon else self.policy.delta)

    def _look_for_the_end(self) -> None:
        """Find out whether a race is decided."""
        if self.policy.drops:
            self._ended = self.duels.standing == 1 or (
                self.policy.epsilon > 0
                and self._pulled % (CHECK * self.arms) == 0
                and verdict(self).outcome in ("decided", "epsilon")
            )

    def _follow(self, arm: int) -> None:
        """Keep to the plan where the arm was its next one."""
        if self._plan and self._plan[0] == arm:
            self._plan.popleft()
        else:
            self._plan.clear()

    def _is_closed(self, arm: int) -> bool:
        return self.dropped[arm] or self._pulls[arm] - self._void[arm] + self._pending[arm] >= self.images

    @property
    def _spent(self) -> tuple[bool, ...]:
        """Which arms have no image left, those in flight counted."""
        counts = zip(self._pulls, self._void, self._pending, strict=True)
        return tuple(n - void + flying >= self.images for n, void, flying in counts)


class _Randomness:
    """A generator whose draws for pull t depend on the seed and t alone; each pull has 2^64 blocks of its own."""

    def __init__(self, seed: Sequence[int]) -> None:
        key = SeedSequence(seed).generate_state(2, np.uint64)
        self._bits = Philox(key=key)
        self.generator = Generator(self._bits)
        state = self._bits.state
        self._counter = [0, 0, 0, 0]
        # lists, not arrays: setting them takes half the time
        words = {"counter": self._counter, "key": state["state"]["key"].tolist()}
        self._state: Any = {**state, "state": words, "buffer": state["buffer"].tolist()}

    def at(self, t: int) -> Generator:
        """The generator of pull t; valid until the next call."""
        self._counter[1] = t
        self._bits.state = self._state
        return self.generator
