"""What an explanation is worth: one kind of reward a module, named as in the job file.

Each module has a function ``make(spec, model)`` that returns a :class:`Judge`. A user's own reward is the judge that
the factory named in the job file returns.
"""

from tuner.rewards.judge import Judge, Values, make_judge
from tuner.rewards.scene import Scene

__all__ = ["Judge", "Scene", "Values", "make_judge"]
