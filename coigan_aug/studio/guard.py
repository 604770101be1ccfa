"""Who may ask: the token in the address, the host by its name, a page of the studio's own; and how much may be sent."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coigan_aug.errors import CoiganError

MOST_BYTES = 32 << 20  # of a request: the packed bits of 16 classes on 4,000 x 4,000 px
_SAFE = ("GET", "HEAD")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}


@dataclass(frozen=True)
class Guard:
    """ASGI middleware in front of everything; what it lets through is asked under `/TOKEN/`.

    Args:
        port: the studio's own, which a host must name.
    """

    app: ASGIApp
    token: str
    port: int
    hosts: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = (f"{name}:{self.port}" for name in ("127.0.0.1", "localhost"))
        object.__setattr__(self, "hosts", frozenset(names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refused(scope)
        if refusal is not None:
            await _answer(scope, receive, send, *refusal)
            return
        prefix = f"/{self.token}"
        inner = dict(scope)
        inner["path"] = scope["path"].removeprefix(prefix) or "/"
        inner["raw_path"] = inner["path"].encode()
        await self.app(inner, _Limited(receive).receive, _with_headers(send))

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Say why a request is refused, with its status; None where it is not."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if host not in self.hosts:
            return 403, "This is the studio of coigan-aug, and it answers to 127.0.0.1 and localhost alone."
        first = scope["path"].split("/")[1] if "/" in scope["path"] else ""
        if not secrets.compare_digest(first.encode(), self.token.encode()):
            return 403, "The address lacks its token. Open the one that the command coigan-aug studio said."
        if scope["method"] not in _SAFE and not self._own_page(headers):
            return 403, "Only the studio's own page may ask for this."
        length = headers.get(b"content-length", b"0").decode("latin-1")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return 413, _TOO_LONG
        return None

    def _own_page(self, headers: dict[bytes, bytes]) -> bool:
        origin = headers.get(b"origin", b"").decode("latin-1")
        site = headers.get(b"sec-fetch-site", b"same-origin").decode("latin-1")
        return site in ("same-origin", "none") and (not origin or origin.removeprefix("http://") in self.hosts)


_TOO_LONG = f"The request is too long: over {MOST_BYTES >> 20} MB."


class TooLong(CoiganError):
    """A body without a stated length grew too long."""


class _Limited:
    """Counts the bytes of a body as they come."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._count = receive, 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._count += len(message.get("body", b""))
        if self._count > MOST_BYTES:
            raise TooLong(_TOO_LONG)
        return message


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given: list[Any] = list(message.get("headers", []))
            known = {name.lower() for name, _ in given}
            message["headers"] = [*given, *((k, v) for k, v in HEADERS.items() if k not in known)]
        await send(message)

    return sending


async def _answer(scope: Scope, receive: Receive, send: Send, status: int, words: str) -> None:
    await PlainTextResponse(words + "\n", status, {"connection": "close"})(scope, receive, _with_headers(send))
