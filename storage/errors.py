"""What can go wrong with the database of jobs.

StorageError                   root; one line that names the value at fault and the mend
├── DatabaseError              the database as a whole cannot be used
│   ├── InvalidUrlError        the URL names no database that is supported
│   ├── MissingDatabaseError   nothing there yet
│   ├── NotADatabaseError      a file that is something else, or damaged
│   ├── SchemaError            its schema is older or newer than this version's
│   ├── MovedError             its file was moved or deleted while it was open
│   ├── UnavailableError       the server or file cannot be reached (may pass)
│   ├── LockedError            another process holds it (may pass)
│   ├── ReadOnlyError          it can be read, not written
│   └── DiskFullError          no room, or the disk fails
├── IntegrityError             what was to be written contradicts what is stored
├── UnknownJobError            no job of that name
├── JobExistsError             the name is taken
├── JobStateError              the job's state does not allow it
│   └── LeaseHeldError         another controller runs the job
└── StaleLeaseError            this controller lost its job to another one
"""


class StorageError(Exception):
    """Root of what this package raises."""


class DatabaseError(StorageError):
    """The database as a whole cannot be used."""


class InvalidUrlError(DatabaseError):
    """The URL names no database that is supported."""


class MissingDatabaseError(DatabaseError):
    """There is no database, or an empty one, at the URL."""


class NotADatabaseError(DatabaseError):
    """The file is not a database, or is damaged."""


class SchemaError(DatabaseError):
    """The schema is older or newer than the one that this version reads and writes."""


class MovedError(DatabaseError):
    """The file was moved, replaced or deleted while it was open; what is written to it now is lost with the process."""


class UnavailableError(DatabaseError):
    """The server or the file cannot be reached; it may be later."""


class LockedError(DatabaseError):
    """Another process held the database longer than a writer waits; it may let go later."""


class ReadOnlyError(DatabaseError):
    """The database may be read and not written."""


class DiskFullError(DatabaseError):
    """The disk has no room or fails; what was committed before stays."""


class IntegrityError(StorageError):
    """What was to be written contradicts what is stored; nothing of it was written."""


class UnknownJobError(StorageError):
    """No job of that name."""


class JobExistsError(StorageError):
    """The name is taken.

    Args:
        message: The line for the user.
        same: Whether the job there has exactly the configuration that was to be created (then it can be resumed).
    """

    def __init__(self, message: str, *, same: bool) -> None:
        super().__init__(message)
        self.same = same


class JobStateError(StorageError):
    """The job's state does not allow what was asked."""


class LeaseHeldError(JobStateError):
    """Another controller runs the job.

    Args:
        message: The line for the user.
        owner: Who holds the lease, as it called itself.
        epoch: The lease's, for :func:`storage.leases.acquire` to evict exactly this holder.
        seconds: How long the lease still lasts unless it is renewed, by the database's clock alone.
    """

    def __init__(self, message: str, *, owner: str, epoch: int, seconds: float) -> None:
        super().__init__(message)
        self.owner = owner
        self.epoch = epoch
        self.seconds = seconds


class StaleLeaseError(StorageError):
    """The lease was taken over or given back: its holder may not write any more."""
