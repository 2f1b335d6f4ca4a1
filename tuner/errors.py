"""Errors of the tuner; each says what is wrong, where, and the mend, in one line.

::

    TunerError
    ├── SpecError      a job file, or a value in it, is not what a job can be made of
    ├── DatasetError   images or their boxes are missing, corrupt or contradict each other; names file and line
    ├── ScoringError   an image, or every image, cannot be scored
    ├── WorkerError    workers cannot start, or do not answer
    ├── ClusterError   the cluster refuses, or does not answer
    │   └── AttemptError   the cluster runs the job already, does not run it any more, or never did
    ├── MissingError   a job has no such image or arm
    ├── RefusedError   the service was not started so that it may do this
    ├── BusyError      the service does as much as it may already
    ├── ServiceError   the service that a client asked refuses, or does not answer
    └── JobError       a job's name is unknown or taken, or its state forbids what was asked
        └── ChangedError   images or network are not those that the job began with
"""


class TunerError(Exception):
    """Root of the errors that a caller of the tuner may catch."""


class SpecError(TunerError):
    """A job file, or a value in it, is not what a job can be made of."""


class DatasetError(TunerError):
    """Images or their boxes are missing, corrupt or contradict each other."""


class ScoringError(TunerError):
    """An image, or every image, cannot be scored."""


class WorkerError(TunerError):
    """Workers cannot start, or do not answer."""


class ClusterError(TunerError):
    """The cluster refuses, or does not answer."""


class AttemptError(ClusterError):
    """The cluster runs the job already, does not run it any more, or never did."""


class MissingError(TunerError):
    """A job has no such image or arm."""


class RefusedError(TunerError):
    """The service was not started so that it may do this."""


class BusyError(TunerError):
    """The service does as much as it may already."""


class ServiceError(TunerError):
    """The service that a client asked refuses, or does not answer.

    Args:
        message: What is wrong, and the mend.
        status: The HTTP status; None where nothing answered.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class JobError(TunerError):
    """A job's name is unknown or taken, or its state forbids what was asked."""


class ChangedError(JobError):
    """Images or network are not those that the job began with: what they score must not be recorded."""
