"""The addresses of the pages "Runs" and "Data", and what the studio says of itself when a page opens."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from coigan_aug.errors import DataError, UsageError
from coigan_aug.formats.names import CARD
from coigan_aug.studio import sets, trainings
from coigan_aug.studio.keep import STUDIO, USUAL
from coigan_aug.studio.session import Session
from coigan_aug.studio.verdicts import say_verdict, verdicts_of, write_accepted
from coigan_aug.training.run import list_runs

PAGE = 60  # images of a page
FRESH = {"cache-control": "no-store"}


def routes() -> list[Route]:
    """Return the addresses of both pages."""
    return [
        Route("/api/runs", _runs),
        Route("/api/runs/{name}", _run),
        Route("/api/runs/{name}/samples/{number:int}", _sample),
        Route("/api/sets", _sets),
        Route("/api/sets/{name}", _set),
        Route("/api/sets/{name}/images/{position:int}", _picture),
        Route("/api/sets/{name}/rejected", _rejected),
        Route("/api/sets/{name}/rejected/{number:int}", _rejected_picture),
        Route("/api/sets/{name}/verdict", _verdict, methods=["POST"]),
        Route("/api/sets/{name}/accepted", _accepted, methods=["POST"]),
    ]


def state_of(session: Session) -> dict[str, Any]:
    """Say what can be drawn with and on: runs, classes with their colours and usual contrasts, bases."""
    model, workspace = session.current(), session.workspace
    dataset, labels = model.prepared.dataset, Counter(item.label for item in model.prepared.objects)
    records = ((position, dataset[position], base) for position, base in sorted(model.bases.items()))
    kept = sorted(path.name for path in (workspace.root / STUDIO).glob("*") if (path / CARD).exists())
    return {
        "workspace": str(workspace.root),
        "run": model.run.name,
        "runs": [run.name for run in list_runs(workspace.runs) if run.generator.exists()],
        "samples_seen": model.generator.images,
        "margin": model.margin,
        "device": model.device.type,
        "contrast": model.settings.model.contrast,
        "latent": model.latent,
        "traits": model.traits,
        "measured": model.directions is not None,
        "classes": [
            {"name": item.name, "colour": list(item.colour), "contrast": contrast, "objects": labels[k]}
            for k, (item, contrast) in enumerate(zip(dataset.classes, model.contrasts, strict=True))
        ],
        "bases": [
            {"id": k, "file": record.file, "height": record.height, "width": record.width, "erased": base.erased}
            for k, record, base in records
        ],
        "kept": kept or [USUAL],
    }


async def read_object(request: Request) -> dict[str, Any]:
    """Read a request's JSON object.

    Raises:
        UsageError: it is none.
    """
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"The request is not understood: {error}") from error


def session_of(request: Request) -> Session:
    """Return the session that a request is for."""
    session = request.app.state.session
    assert isinstance(session, Session)
    return session


async def _runs(request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(trainings.list_trainings, session_of(request).workspace), headers=FRESH)


async def _run(request: Request) -> Response:
    workspace, name = session_of(request).workspace, request.path_params["name"]
    return JSONResponse(await run_in_threadpool(trainings.about_training, workspace, name), headers=FRESH)


async def _sample(request: Request) -> Response:
    workspace, name, number = session_of(request).workspace, request.path_params["name"], request.path_params["number"]

    def read() -> bytes:
        return trainings.sample(workspace, name, number, side=_side(request, 1600))

    return Response(await run_in_threadpool(read), media_type="image/jpeg", headers=FRESH)


async def _sets(request: Request) -> Response:
    workspace = session_of(request).workspace

    def read() -> list[dict[str, Any]]:
        listed = []
        for name in sets.folders_of(workspace):
            try:
                listed.append(sets.about_set(name, sets.open_set(workspace, name)))
            except DataError as error:  # a damaged set does not hide the others
                listed.append({"name": name, "problem": error.message, "remedy": error.remedy})
        return listed

    return JSONResponse(await run_in_threadpool(read), headers=FRESH)


async def _set(request: Request) -> Response:
    workspace, name, asked = session_of(request).workspace, request.path_params["name"], request.query_params
    chosen = sets.Filter(
        label=asked.get("class", ""), state=asked.get("state", ""), split=asked.get("split", ""),
        text=asked.get("text", ""),
    )  # fmt: skip
    start, verdict = _number(asked.get("from", "0")), asked.get("verdict", "")

    def read() -> dict[str, Any]:
        said = verdicts_of(workspace, name) if name != sets.REAL else {}
        items = [item for item in sets.list_items(sets.open_set(workspace, name)) if chosen.takes(item)]
        if verdict:
            items = [item for item in items if said.get(item.file, "open") == verdict]
        shown = items[start : start + PAGE]
        values = [msgspec.to_builtins(item) | {"verdict": said.get(item.file, "")} for item in shown]
        return {"count": len(items), "from": start, "items": values, "verdicts": dict(Counter(said.values()))}

    return JSONResponse(await run_in_threadpool(read), headers=FRESH)


async def _picture(request: Request) -> Response:
    workspace, name, position = (
        session_of(request).workspace,
        request.path_params["name"],
        request.path_params["position"],
    )
    masks = request.query_params.get("masks", "1") == "1"

    def read() -> bytes:
        return sets.picture(sets.open_set(workspace, name), position, side=_side(request, 320), masks=masks)

    return Response(await run_in_threadpool(read), media_type="image/jpeg", headers=FRESH)


async def _rejected(request: Request) -> Response:
    workspace, name = session_of(request).workspace, request.path_params["name"]

    def read() -> dict[str, Any]:
        return sets.say_rejected(sets.open_set(workspace, name))

    return JSONResponse(await run_in_threadpool(read), headers=FRESH)


async def _rejected_picture(request: Request) -> Response:
    workspace, name, number = session_of(request).workspace, request.path_params["name"], request.path_params["number"]

    def read() -> bytes:
        return sets.rejected_picture(sets.open_set(workspace, name), number)

    return Response(await run_in_threadpool(read), media_type="image/jpeg", headers=FRESH)


async def _verdict(request: Request) -> Response:
    workspace, name, value = session_of(request).workspace, request.path_params["name"], await read_object(request)
    position, verdict = value.get("position"), value.get("verdict")
    if not isinstance(position, int) or not isinstance(verdict, str):
        raise UsageError("A verdict needs a position and a word.")
    said = await run_in_threadpool(say_verdict, workspace, name, position, verdict)
    return JSONResponse({"verdicts": dict(Counter(said.values()))}, headers=FRESH)


async def _accepted(request: Request) -> Response:
    workspace, name = session_of(request).workspace, request.path_params["name"]
    made = await run_in_threadpool(write_accepted, workspace, name)
    command = f"coigan-aug convert {made.folder} {made.folder.name} --to coco"
    values = {"folder": str(made.folder), "images": made.images, "left_out": made.left_out, "command": command}
    return JSONResponse(values, headers=FRESH)


def _side(request: Request, usual: int) -> int:
    return _number(request.query_params.get("side", str(usual)))


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise UsageError(f"{text[:40]!r} is no number.")
    return int(text)
