"""Learn the settings of the trace for a network, as a bandit job on Ray.

The whole way from Python::

    import tuner

    outcome = tuner.run("resnet18-imagenet.yaml", "sqlite:///runs/tuner.db")
    with tuner.Database.open("sqlite:///runs/tuner.db") as database, database.reading() as session:
        tuner.export(session, Path("resnet18.yaml"), name="resnet18-imagenet")

Names are imported at first use, so that ``import tuner`` costs nothing and ``tuner --help`` answers at once.
"""

from typing import TYPE_CHECKING

from tracer.lazy import at_first_use

if TYPE_CHECKING:
    from storage.engine import Database
    from tuner.errors import TunerError
    from tuner.play.lifecycle import resume, run
    from tuner.results.export import export
    from tuner.spec.job import JobSpec, load_job

__all__ = ["Database", "JobSpec", "TunerError", "export", "load_job", "resume", "run"]

_HOMES = {
    "Database": "storage.engine",
    "JobSpec": "tuner.spec.job",
    "TunerError": "tuner.errors",
    "export": "tuner.results.export",
    "load_job": "tuner.spec.job",
    "resume": "tuner.play.lifecycle",
    "run": "tuner.play.lifecycle",
}
"""The module of each public name; the imports above say the same to type checkers."""

__getattr__, __dir__ = at_first_use(__name__, _HOMES)
