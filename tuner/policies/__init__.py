"""Which arm comes next: bandit policies, the object that steps them, and what may be concluded from the pulls.

Only numpy and the standard library are imported, and no policy keeps state: see ``docs/policies.md``.
"""

from tuner.policies.bandit import Bandit
from tuner.policies.base import Counts, IndexPolicy, Policy
from tuner.policies.batches import BatchBandit, Proposer, UnexpectedArmError
from tuner.policies.intervals import Interval, interval
from tuner.policies.registry import POLICIES, make_policy
from tuner.policies.replay import Replay, replay
from tuner.policies.verdict import Outcome, Verdict, verdict

__all__ = [
    "POLICIES",
    "Bandit",
    "BatchBandit",
    "Counts",
    "IndexPolicy",
    "Interval",
    "Outcome",
    "Policy",
    "Proposer",
    "Replay",
    "UnexpectedArmError",
    "Verdict",
    "interval",
    "make_policy",
    "replay",
    "verdict",
]
