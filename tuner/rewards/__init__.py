"""What an explanation is worth: one kind of reward a module, named as in the job file.

Each module has a function ``make(reward, model)`` that returns a :class:`Judge`. A user's own reward is the judge that
the factory named in the job file returns. Names are imported at first use: a job's controller asks for trivial values
alone, and needs no network.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.rewards.judge import Judge, Values, make_judge
    from tuner.rewards.scene import Scene

__all__ = ["Judge", "Scene", "Values", "make_judge"]

_HOMES = {"Judge": "judge", "Scene": "scene", "Values": "judge", "make_judge": "judge"}
"""The module of each public name; the imports above say the same to type checkers."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
