"""What every request passes first: who may ask, and what browsers are told about every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
LONGEST_QUERY = 4096
"""Bytes of a query string."""
LONGEST_PATH = 512
"""Bytes of a path."""
_HEADERS = {
    # the pages' own style sheets, script and pictures; the one that was sent stands in its page
    "content-security-policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; "
    "script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # not no-referrer: browsers would then hide a form's origin, which is checked
    "referrer-policy": "same-origin",
}


class TooLargeError(Exception):
    """A body that is larger than is taken."""


class Guard:
    """Refuses names that are not this machine's, forms of other sites, and what is too long.

    A page of another site cannot read answers from here (no CORS header is ever sent), but a name
    of its own that it points at this machine could, and forms it could send: hence the checks of
    Host, and of Origin and Sec-Fetch-Site.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        """Wrap an application.

        Args:
            app: What answers.
            hosts: Names that requests may be made to; None for any.
        """
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it in one line."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self._refusal(scope)
        app: ASGIApp = self.app
        if refused is not None:
            status, why = refused
            app = PlainTextResponse(f"{why}\n", status)
        await app(scope, receive, told)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if len(scope["query_string"]) > LONGEST_QUERY or len(scope["path"]) > LONGEST_PATH:
            return 414, "the address is too long"
        if self.hosts is not None and host_name(headers.get("host", "")) not in self.hosts:
            return 421, "this server answers to its own address only: use the one that it printed"
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "only GET and POST are known here"
        if scope["method"] == "POST" and not _is_own_form(headers):
            return 403, "forms are taken from this server's own pages only"
        return None


def host_name(host: str) -> str:
    """The name in a Host header, without its port; empty for what is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own_form(headers: Headers) -> bool:
    """Whether a form comes from a page of this server, or from no browser at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == headers.get("host", "") != ""
    except ValueError:
        return False


async def limited(stream: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """A body's parts, until there are more than `most` bytes.

    Raises:
        TooLargeError: There are.
    """
    n = 0
    async for part in stream:
        n += len(part)
        if n > most:
            raise TooLargeError
        yield part
