"""The one poller of a server: it looks at the database now and then, and tells everybody whether anything changed.

Streams wait for it and ETags are made of what it knows, so the database is asked the same whether one page is open or
a hundred.
"""

import asyncio
import contextlib
import logging
import secrets
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable

from storage import queries
from storage.engine import Database
from storage.errors import MovedError, StorageError
from tracer.printable import one_line

logger = logging.getLogger(__name__)

LONGEST = 5.0
"""Seconds after which the jobs are looked at even where nobody wrote: leases expire by themselves."""

HEARTBEAT = 15.0
"""Seconds between two words of a stream where nothing changes, so that no proxy takes it for dead."""

STREAMS = 200
"""Streams that may be open at a time."""


class Watch:
    """What is known of the database's state.

    Args:
        storage: URL of the database.
        interval: Seconds between two looks.
    """

    def __init__(self, storage: str, interval: float) -> None:
        self._storage = storage
        self._interval = interval
        self._database: Database | None = None
        self._counter: int | None = None
        self._more = ""
        self._revisions: dict[str, str] | None = None
        self._all = ""
        self._looked = 0.0
        self._server = secrets.token_hex(4)  # a server that was restarted may show the same state otherwise
        self._also: Callable[[], str] = str
        self._changed = asyncio.Condition()
        self._closing = False
        self._looking = threading.Lock()  # a look goes on in its thread though the poller was cancelled
        self.streams = 0

    @property
    def ready(self) -> bool:
        """Whether the database answered lately."""
        return self._revisions is not None and time.monotonic() - self._looked < LONGEST + 2 * self._interval + 5

    @property
    def jobs(self) -> int:
        """How many jobs there are."""
        return len(self._revisions or ())

    def revision(self, name: str | None = None) -> str | None:
        """A short text that changes when the job does, or when any job does; None where nothing is known of it."""
        if not self.ready or self._revisions is None:
            return None
        state = self._all if name is None else self._revisions.get(name)
        return None if state is None else f"{self._server}-{zlib.crc32(state.encode()):08x}"

    def watch_also(self, more: Callable[[], str]) -> None:
        """Watch what the database does not hold too, such as processes: a short text that changes when they do."""
        self._also = more

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._interval)

    async def look(self) -> None:
        """Look once, and wake the streams where something changed."""
        before = self._all, self._revisions is None
        await asyncio.to_thread(self.refresh)
        if (self._all, self._revisions is None) != before:
            async with self._changed:
                self._changed.notify_all()

    def refresh(self) -> None:
        """Look once, waking nobody; nothing where the server ends."""
        with self._looking:
            if not self._closing:
                self._refresh()

    def _refresh(self) -> None:
        try:
            if self._database is None:
                self._database = Database.open(self._storage, patience=2.0)
            with self._database.reading() as session:
                counter, more = queries.change_counter(session), self._also()
                idle = counter is not None and (counter, more) == (self._counter, self._more)
                if idle and self._revisions is not None and time.monotonic() - self._looked < LONGEST:
                    return
                self._revisions = queries.revisions(session)
                self._all = "\n".join([more, *(f"{name} {state}" for name, state in self._revisions.items())])
                self._counter, self._more, self._looked = counter, more, time.monotonic()
        except StorageError as error:
            if self._revisions is not None:
                logger.warning("%s", one_line(error))
            self._revisions = None
            if isinstance(error, MovedError):  # another file is there now, or will be: the next look opens that one
                self._release()

    async def stream(self, name: str | None) -> AsyncIterator[str | None]:
        """The revision of a job, or of all, now and whenever it changes; None now and then where it does not.

        Ends when the server does.
        """
        self.streams += 1
        try:
            sent: str | None = None
            while not self._closing:
                revision = self.revision(name)
                yield revision if revision != sent else None
                sent = revision
                await self._wait(name, sent)
        finally:
            self.streams -= 1

    async def _wait(self, name: str | None, revision: str | None) -> None:
        """Wait until a job's revision is another one, the server ends, or a stream is to say that it still lives."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT), self._changed:
                await self._changed.wait_for(lambda: self._closing or self.revision(name) != revision)

    async def close(self) -> None:
        """End every stream and let go of the database."""
        self._closing = True
        async with self._changed:
            self._changed.notify_all()

    def dispose(self) -> None:
        """Let go of the database, after a look that is under way."""
        with self._looking:
            self._release()

    def _release(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None
