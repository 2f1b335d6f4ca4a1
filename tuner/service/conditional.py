"""Answers that did not change are not made again: ETags are the poller's revisions, a 304 asks no route."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuner.service.watch import Watch

LIVE = ("/jobs", "/compare", "/comparison", "/runs", "/view")
"""Beginnings of the paths whose answers depend on nothing but the database and the address."""


class Conditional:
    """Gives each answer about jobs an ETag, and answers 304 where the asker has it already.

    What is asked about one job (``/jobs/NAME/...``, ``/view/NAME/...``) has the revision of that job, anything else
    that of all jobs. The revision is read before the answer is made, so an answer is never older than its ETag says.

    Args:
        app: What makes the answers.
        watch: Knows the revisions.
    """

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self._app = app
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        revision = self._revision(scope)
        if revision is None:
            await self._app(scope, receive, send)
            return
        tag = f'W/"{revision}"'.encode()
        kept = next((value for name, value in scope["headers"] if name == b"if-none-match"), b"")
        headers = [(b"etag", tag), (b"cache-control", b"private, no-cache")]
        if tag in (each.strip() for each in kept.split(b",")):
            scope["route_name"] = "not modified"
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_tagged(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                known = {name for name, _ in message["headers"]}
                added = [header for header in headers if header[0] not in known]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, send_tagged)

    def _revision(self, scope: Scope) -> str | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return None
        _, *parts = scope["path"].removeprefix(scope.get("root_path", "")).split("/")
        if f"/{parts[0]}" not in LIVE and parts != [""]:
            return None
        about_one = parts[0] in ("jobs", "view") and len(parts) > 1
        return self._watch.revision(parts[1] if about_one else None)
