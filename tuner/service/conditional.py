"""Answers that did not change are not made again: ETags are the poller's revisions, a 304 asks no route."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuner.service.watch import Watch

LIVE = ("/jobs", "/compare", "/comparison", "/view")
"""Beginnings of the paths whose answers depend on nothing but the database and the address."""

KEPT = 100
"""Answers that are kept, at most."""

LONGEST = 500_000
"""Bytes that an answer may have to be kept."""


@dataclass
class _Answer:
    """What a route sent; empty while it is being made."""

    messages: list[Message] = field(default_factory=list)
    making: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def is_kept(self) -> bool:
        """Whether it is whole, a success, and short enough."""
        if not self.messages or self.messages[0].get("status") != 200:
            return False
        last = self.messages[-1]
        whole = last["type"] == "http.response.body" and not last.get("more_body", False)
        return whole and sum(len(message.get("body", b"")) for message in self.messages) <= LONGEST


class Conditional:
    """Gives each answer about jobs an ETag, and makes it once: whoever asks again gets a 304 or what was sent before.

    What is asked about one job (``/jobs/NAME/...``, ``/view/NAME/...``) has the revision of that job, anything else
    that of all jobs. The revision is read before the answer is made, so an answer is never older than its ETag says.
    Pages that are open at the same time ask at the same moment; the first is answered, and the others get the same.

    Args:
        app: What makes the answers.
        watch: Knows the revisions.
    """

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self._app = app
        self._watch = watch
        self._kept: OrderedDict[tuple[str, bytes, str], _Answer] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        revision = self._revision(scope)
        if revision is None:
            await self._app(scope, receive, send)
            return
        tag = f'W/"{revision}"'.encode()
        known = next((value for name, value in scope["headers"] if name == b"if-none-match"), b"")
        headers = [(b"etag", tag), (b"cache-control", b"private, no-cache")]
        if tag in (each.strip() for each in known.split(b",")):
            scope["route_name"] = "not modified"
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                given = {name for name, _ in message["headers"]}
                added = [header for header in headers if header[0] not in given]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        if known:  # by another ETag than this one, perhaps a route's own
            await self._app(scope, receive, send_tagged)
            return
        answer = self._answer((scope["path"], scope["query_string"], revision))
        async with answer.making:
            if not answer.is_kept:
                answer.messages = []
                await self._app(scope, receive, _kept_too(answer, send_tagged))
                return
        scope["route_name"] = "kept"
        for message in answer.messages:
            await send_tagged(message)

    def _answer(self, key: tuple[str, bytes, str]) -> _Answer:
        answer = self._kept.setdefault(key, _Answer())
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return answer

    def _revision(self, scope: Scope) -> str | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        _, *parts = scope["path"].removeprefix(scope.get("root_path", "")).split("/")
        if f"/{parts[0]}" not in LIVE and parts != [""]:
            return None
        about_one = parts[0] in ("jobs", "view") and len(parts) > 1
        return self._watch.revision(parts[1] if about_one else None)


def _kept_too(answer: _Answer, send: Send) -> Send:
    """Sends, and keeps what was sent."""

    async def send_kept(message: Message) -> None:
        answer.messages.append(message)
        await send(message)

    return send_kept
