"""What a job learned, as settings."""

from collections.abc import Mapping, Sequence

from storage.rows import BanditRow, JobRow
from tracer import Settings
from tuner.spec.job import stored_job


def learned_settings(job: JobRow, bandits: Sequence[BanditRow]) -> Settings:
    """The base of a job, with the winners of a round."""
    settings = stored_job(job.name, job.spec).settings
    for bandit in bandits:
        if isinstance(bandit.winner, Mapping):
            settings = settings.changed(bandit.winner)
        elif bandit.winner_rank is not None:
            settings = settings.changed({bandit.setting: bandit.winner})
    return settings
