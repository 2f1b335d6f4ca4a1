"""What stands before every page: who may ask, from where, how much, and what a browser may do with the answer."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tuner.service.guard import host_name, is_own_origin
from tuner.service.options import LOOPBACK

MOST_BYTES = 10_000
"""How long the body of a form may be; a trial's has some hundred bytes."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}
"""Sent with every answer: a page has no script, and a rater's link is told to no other site."""

_SAFE = {"GET", "HEAD"}

Next = Callable[[Request], Awaitable[Response]]


class Guard:
    """Refuses what may not pass, and adds :data:`HEADERS` to each answer.

    - *Host* must be one of the server's names, so that a site whose name is made to point here gets nothing.
    - A form must come from a page of this server: by *Origin*, which every browser sends with a form, and by
      *Sec-Fetch-Site*. A forged form would need a rater's link as well, which holds a secret.
    - A body says how long it is, and is short.

    Args:
        hosts: Names under which the server may be reached, beside :data:`LOOPBACK`; lower case, without a port.
    """

    def __init__(self, hosts: frozenset[str] = frozenset()) -> None:
        self._hosts = hosts | set(LOOPBACK)

    async def __call__(self, request: Request, following: Next) -> Response:
        """Answer a request, or hand it on."""
        answer = self._refusal(request) or await following(request)
        answer.headers.update(HEADERS)
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return PlainTextResponse("Not a name of this server (--allow-host NAME adds one).", 421)
        if request.method in _SAFE:
            return None
        site = headers.get("sec-fetch-site", "none")
        if not is_own_origin(headers, host) or site not in ("same-origin", "none"):
            return PlainTextResponse("The form comes from a page of another site.", 403)
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return PlainTextResponse(f"A form says how long it is, and has {MOST_BYTES} bytes at most.", 413)
        return None
