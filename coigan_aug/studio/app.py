"""The studio's addresses: each reads its request, asks the session, and answers with JSON, a message or a picture."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coigan_aug.errors import CoiganError, UsageError
from coigan_aug.imaging import encode_image
from coigan_aug.log import note
from coigan_aug.studio import pages
from coigan_aug.studio.guard import TooLong
from coigan_aug.studio.pages import FRESH, session_of
from coigan_aug.studio.session import Session
from coigan_aug.studio.sets import fit_in
from coigan_aug.studio.shapes import list_shapes, shape, shape_picture
from coigan_aug.studio.wire import Painted, split_message
from coigan_aug.studio.worker import Busy, Superseded

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MESSAGE = "application/octet-stream"
STATUS = {Superseded: 409, TooLong: 413, Busy: 503, UsageError: 400}
_LASTING = {"cache-control": "private, max-age=3600"}
_THUMBNAIL = 320  # px
Answer = Callable[[Request], Awaitable[Response]]


def make_app(session: Session) -> Starlette:
    """Return the studio as an ASGI application, without the guard in front of it."""
    routes = [
        Route("/", _page),
        Route("/static/{name}", _static),
        Route("/api/state", _state),
        Route("/api/base/{position:int}", _base),
        Route("/api/thumb/{position:int}", _thumb),
        Route("/api/draw", _draw, methods=["POST"]),
        Route("/api/judge", _judge, methods=["POST"]),
        Route("/api/keep", _keep, methods=["POST"]),
        Route("/api/command", _command, methods=["POST"]),
        Route("/api/project", _project, methods=["POST"]),
        Route("/api/load", _load, methods=["POST"]),
        Route("/api/shapes", _shapes),
        Route("/api/shape/{number:int}", _shape),
        Route("/api/shape/{number:int}/picture", _shape_picture),
        *pages.routes(),
    ]
    app = Starlette(routes=routes, exception_handlers={CoiganError: _told, HTTPException: _unknown, Exception: _bug})
    app.state.session = session
    return app


# What goes wrong


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, CoiganError)
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 422)
    headers = FRESH | ({"connection": "close"} if status == 413 else {})  # what is still to come is not read
    return JSONResponse({"message": error.message, "remedy": error.remedy}, status, headers)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "The studio has no such address.", 405: "This address is asked in another way."}
    return JSONResponse({"message": words.get(error.status_code, error.detail), "remedy": ""}, error.status_code)


async def _bug(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    note(f"studio: {request.method} {request.url.path}: {error!r}")
    return JSONResponse({"message": f"This is a bug in the studio: {error!r}", "remedy": "It goes on working."}, 500)


# The page and its files


@lru_cache(maxsize=64)
def read_static(name: str) -> tuple[bytes, str]:
    """Return a file of the page and its media type.

    Raises:
        HTTPException: there is none of that name.
    """
    folder = resources.files("coigan_aug.studio") / "static"
    names = {item.name for item in folder.iterdir()}
    suffix = "." + name.rpartition(".")[2]
    if name not in names or suffix not in KINDS:
        raise HTTPException(404)
    return (folder / name).read_bytes(), KINDS[suffix]


async def _page(request: Request) -> Response:
    data, kind = read_static("index.html")
    return Response(data, media_type=kind, headers=FRESH)


async def _static(request: Request) -> Response:
    data, kind = read_static(request.path_params["name"])
    return Response(data, media_type=kind, headers={"cache-control": "no-cache"})


# What is drawn on


async def _state(request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(pages.state_of, session_of(request)), headers=FRESH)


async def _base(request: Request) -> Response:
    model, position = session_of(request).current(), request.path_params["position"]

    def read() -> bytes:
        return encode_image(model.surface(position), suffix=".png")

    return Response(await run_in_threadpool(read), media_type="image/png", headers=_LASTING)


async def _thumb(request: Request) -> Response:
    model, position = session_of(request).current(), request.path_params["position"]

    def read() -> bytes:
        model.base_of(position)
        return encode_image(fit_in(model.prepared.dataset.image(position), _THUMBNAIL), suffix=".jpg", quality=80)

    return Response(await run_in_threadpool(read), media_type="image/jpeg", headers=_LASTING)


# What is painted


async def _draw(request: Request) -> Response:
    message = await _working(request, session_of(request).draw)
    return Response(message, media_type=MESSAGE, headers=FRESH)


async def _judge(request: Request) -> Response:
    judged = await _working(request, session_of(request).judge)
    return JSONResponse(await run_in_threadpool(judged), headers=FRESH)


async def _keep(request: Request) -> Response:
    kept = await run_in_threadpool(await _working(request, session_of(request).keep, slot="keep"))
    values = {key: str(value) if key in ("out", "records") else value for key, value in asdict(kept).items()}
    return JSONResponse(values, headers=FRESH)


async def _command(request: Request) -> Response:
    command = await _working(request, session_of(request).copy_command, slot="command")
    return JSONResponse({"command": command}, headers=FRESH)


async def _working(request: Request, run: Callable[[Painted, memoryview], Any], *, slot: str = "") -> Any:
    """Do what a message asks for in the worker's thread; a later one of the same client and slot takes its place.

    Args:
        slot: its slot whatever the message says.
    """
    painted, bits = split_message(await request.body(), Painted)
    future = session_of(request).worker.submit((painted.client, slot or painted.slot), lambda: run(painted, bits))
    return await asyncio.wrap_future(future)


async def _project(request: Request) -> Response:
    session, value = session_of(request), await pages.read_object(request)
    number = value.get("object")
    if not isinstance(number, int):
        raise UsageError("Which object?")
    work = session.worker.submit(("", "project"), lambda: session.project(number))
    return JSONResponse(await asyncio.wrap_future(work), headers=FRESH)


async def _load(request: Request) -> Response:
    session, value = session_of(request), await pages.read_object(request)
    name = str(value.get("run", ""))
    await asyncio.wrap_future(session.worker.submit(("", "load"), lambda: session.load(name)))
    return await _state(request)


async def _shapes(request: Request) -> Response:
    model = session_of(request).current()
    return JSONResponse(await run_in_threadpool(list_shapes, model, request.query_params.get("class", "")))


async def _shape(request: Request) -> Response:
    model, number = session_of(request).current(), request.path_params["number"]
    return Response(await run_in_threadpool(shape, model, number), media_type=MESSAGE, headers=_LASTING)


async def _shape_picture(request: Request) -> Response:
    model, number = session_of(request).current(), request.path_params["number"]

    def read() -> bytes:
        return shape_picture(model, number, side=_THUMBNAIL)

    return Response(await run_in_threadpool(read), media_type="image/jpeg", headers=_LASTING)
