"""The policies by the names that job files use."""

from tuner.policies.base import Policy
from tuner.policies.kl_ucb import KLUCB
from tuner.policies.race import Race
from tuner.policies.thompson import Thompson
from tuner.policies.ucb1 import UCB1
from tuner.policies.ucb_tuned import UCBTuned
from tuner.policies.uniform import Uniform

POLICIES: dict[str, type[Policy]] = {
    "ucb1": UCB1,
    "ucb-tuned": UCBTuned,
    "kl-ucb": KLUCB,
    "thompson": Thompson,
    "uniform": Uniform,
    "race": Race,
}
"""Every policy by its kind; a new one is a file and an entry here."""


def make_policy(kind: str, **parameters: float) -> Policy:
    """The policy of a kind.

    Args:
        kind: A key of :data:`POLICIES`.
        parameters: Fields of that policy.

    Raises:
        ValueError: If the kind is unknown or a parameter out of range.
        TypeError: If the policy has no such parameter.
    """
    if kind not in POLICIES:
        raise ValueError(f"policy {kind!r} is unknown: choose one of {', '.join(POLICIES)}")
    return POLICIES[kind](**parameters)
