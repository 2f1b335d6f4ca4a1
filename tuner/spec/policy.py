"""How a job is tuned: what a job file may say of its policy, checked."""

from dataclasses import fields
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracer.errors import nearest
from tuner.policies import POLICIES, Policy
from tuner.policies.optuna_tpe import OptunaTPE
from tuner.spec.fields import Whole

KINDS: dict[str, type[Policy]] = {**POLICIES, "optuna-tpe": OptunaTPE}
"""What a job may be tuned by."""


class PolicySpec(BaseModel):
    """How arms are chosen. What a kind takes beside the fields here is passed on to it.

    Attributes:
        kind: A name in :data:`KINDS`.
        budget: Pulls per bandit, at most.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = "ucb1"
    budget: Annotated[Whole, Field(ge=1)] = 3000

    @property
    def parameters(self) -> dict[str, Any]:
        """What the policy itself takes."""
        return dict(self.__pydantic_extra__ or {})

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.kind not in KINDS:
            near = nearest(self.kind, KINDS)
            raise ValueError(f"unknown policy {self.kind!r}{near}; write one of {', '.join(KINDS)}")
        known = [field.name for field in fields(KINDS[self.kind])]
        for key, value in self.parameters.items():
            if key not in known:
                takes = f"write one of {', '.join(['kind', 'budget', *known])}"
                raise ValueError(f"{self.kind} takes no {key!r}{nearest(key, known)}; {takes}")
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"{key}: {value!r} is not a number; write one")
        self.make()
        return self

    def make(self) -> Policy:
        """The policy.

        Raises:
            ValueError: If a parameter is out of its range.
        """
        return KINDS[self.kind](**self.parameters)
