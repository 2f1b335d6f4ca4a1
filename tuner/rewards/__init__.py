"""What an explanation is worth: one kind of reward a module, named as in the job file.

Each module has a function ``make(reward, model)`` that returns a :class:`Judge`. A user's own reward is the judge that
the factory named in the job file returns. Names are imported at first use: a job's controller asks for trivial values
alone, and needs no network.
"""

from typing import TYPE_CHECKING

from tracer.lazy import at_first_use

if TYPE_CHECKING:
    from tuner.rewards.judge import Judge, Values, make_judge
    from tuner.rewards.scene import Scene

__all__ = ["Judge", "Scene", "Values", "make_judge"]

_HOMES = {
    "Judge": "tuner.rewards.judge",
    "Scene": "tuner.rewards.scene",
    "Values": "tuner.rewards.judge",
    "make_judge": "tuner.rewards.judge",
}
"""The module of each public name; the imports above say the same to type checkers."""

__getattr__, __dir__ = at_first_use(__name__, _HOMES)
