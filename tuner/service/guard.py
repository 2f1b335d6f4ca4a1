"""What stands before every route: who may ask, from where, how much, and what a browser may do with the answer."""

import hashlib
import hmac
import socket
import time
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tuner.service.options import LOOPBACK, Options
from tuner.service.problems import problem

MOST_BYTES = 300_000
"""How long the body of a request may be; a job file has a few hundred bytes."""

COOKIE = "tuner_session"

SESSION = 12 * 3600
"""Seconds that a browser stays signed in."""

SAFE = {"GET", "HEAD", "OPTIONS"}

ONCE = {b"host", b"origin", b"authorization", b"sec-fetch-site", b"sec-fetch-mode"}
"""Headers that a request is judged by: sent twice, a proxy and this server might each believe another one."""

OPEN = {"/healthz", "/readyz", "/login"}
"""What is answered without a token: whether the server is well, and the page that asks for one."""

HEADERS = [
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
"""Sent with every answer: a page runs this server's one script, and nothing of it is shown within another site."""


class Session:
    """The cookie that a browser gets for the token: when it ends, signed with the token.

    The server keeps nothing, so it may be restarted; with another token every cookie is void.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def matches(self, token: str) -> bool:
        """Whether that is the token; takes the same time however much of it is right."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def make(self) -> str:
        """A cookie's value that is good from now on."""
        end = str(int(time.time()) + SESSION)
        return f"{end}.{self._sign(end)}"

    def is_good(self, cookie: str) -> bool:
        """Whether that value was made here and has not ended."""
        end, _, signature = cookie.partition(".")
        signed = hmac.compare_digest(signature.encode(), self._sign(end).encode())
        return signed and end.isdecimal() and int(end) > time.time()

    def _sign(self, text: str) -> str:
        return hmac.new(self._token.encode(), b"tuner session " + text.encode(), hashlib.sha256).hexdigest()


class Guard:
    """Refuses what may not pass, bounds what does, and adds :data:`HEADERS` to each answer.

    - *Host* must be one of the server's names, so that a site whose name is made to point here gets nothing.
    - A request that changes something must come from a page of this server (*Origin*), or from no page at all.
    - What another site's page loads from here (*Sec-Fetch-Site*) is refused, but for links that are followed.
    - Where there is a token, a script brings it and a browser has been given a cookie for it.

    Args:
        app: What is guarded.
        options: The server's.
        session: Checks tokens and cookies; None where there is no token.
    """

    def __init__(self, app: ASGIApp, options: Options, session: Session | None) -> None:
        self._app = app
        self._root = options.root_path
        self._session = session
        named = {*LOOPBACK, *options.hosts, options.host, *([socket.gethostname()] if options.token else [])}
        self._hosts = frozenset(host.lower() for host in named) - {"0.0.0.0", "::"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        self._place(scope)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
            return
        if scope["method"] in SAFE:
            await self._app(scope, receive, send_guarded)
            return
        body = await _body(receive)
        if body is None:
            refusal = problem(413, f"a body of more than {MOST_BYTES} bytes; a job file is shorter")
            await refusal(scope, receive, send_guarded)
            return
        await self._app(scope, _replay(body, receive), send_guarded)

    def _place(self, scope: Scope) -> None:
        """A proxy may take the path off that it shows the server under, or leave it: the routes see the same."""
        scope["root_path"] = self._root
        if self._root and not (scope["path"] + "/").startswith(self._root + "/"):
            scope["path"] = self._root + scope["path"]

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        judged = [name for name, _ in scope["headers"] if name in ONCE]
        if len(judged) > len(set(judged)):
            return problem(400, "a header that may be sent once is sent twice")
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return problem(421, "not a name of this server; `tuner serve --allow-host NAME` adds one")
        unsafe = scope["method"] not in SAFE
        if unsafe and not is_own_origin(headers, host):
            return problem(403, "the request comes from a page of another site")
        followed = not unsafe and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not followed:
            return problem(403, "the request comes from a page of another site")
        path = scope["path"].removeprefix(self._root)
        if self._session is None or path in OPEN or path.startswith("/static/"):
            return None
        return self._unknown(self._session, headers, path, scope, unsafe=unsafe)

    def _unknown(
        self, session: Session, headers: Mapping[str, str], path: str, scope: Scope, *, unsafe: bool
    ) -> Response | None:
        """The answer to a request without the token; None where it has it."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and session.matches(token.strip()):
            return None
        if session.is_good(_cookie(headers)):
            if unsafe and "origin" not in headers:
                return problem(403, "a browser's request says where it comes from; a script brings the token instead")
            return None
        if not unsafe and "text/html" in headers.get("accept", ""):
            asked = f"{path}?{scope['query_string'].decode('latin-1')}".rstrip("?")
            return RedirectResponse(f"{self._root}/login?next={quote(asked)}", 303, {"cache-control": "no-store"})
        return problem(401, "bring the server's token: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


def host_name(host: str) -> str:
    """The name or address in a header *Host*, in lower case and without the port; empty where it holds none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_own_origin(headers: Mapping[str, str], host: str) -> bool:
    """Whether a request comes from a page of this server, or from none: a header *Origin* names the host asked."""
    if "origin" not in headers:
        return True
    try:
        return urlsplit(headers["origin"]).netloc.lower() == host.lower()
    except ValueError:
        return False


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


async def _body(receive: Receive) -> bytes | None:
    """The whole body of a request; None where it is too long."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read, once more; then whatever comes after it."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
