"""The stage studio: open a workspace, listen on this machine alone, and say where."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from coigan_aug.errors import EnvironmentProblem
from coigan_aug.folders import Folders
from coigan_aug.progress import SILENT, Talk
from coigan_aug.studio.app import make_app
from coigan_aug.studio.ask import StudioAsk
from coigan_aug.studio.guard import Guard
from coigan_aug.studio.session import Session

HOST = "127.0.0.1"
_GRACE = 3  # seconds that open requests have when it is closed


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A studio that listens: its address with the token in it, its port."""

    address: str
    port: int


def studio(
    workspace: Folders, ask: StudioAsk, *, talk: Talk = SILENT, opened: Callable[[Opened], None] = lambda _: None
) -> None:
    """Serve the studio until Ctrl-C or SIGTERM.

    Args:
        opened: called once it listens.

    Raises:
        DataError: there is no data set or no run. EnvironmentProblem: the port is taken.
    """
    workspace = workspace if ask.folder is None else Folders(Path(ask.folder))
    session = Session(workspace, workspace.command(ask.command() if ask.folder is None else "coigan-aug studio"))
    try:
        session.load(ask.run, talk=talk)
        with listening(ask.port) as sock:
            _serve(session, sock, ask, talk, opened)
    finally:
        session.close()
    talk.say("The studio is closed.")


def _serve(session: Session, sock: socket.socket, ask: StudioAsk, talk: Talk, opened: Callable[[Opened], None]) -> None:
    port, token = sock.getsockname()[1], secrets.token_urlsafe(16)
    address = f"http://{HOST}:{port}/{token}/"
    talk.say(f"studio  {address}   (Ctrl-C ends it)")
    if away := elsewhere(port):
        talk.say(f"        from another machine:  {away}   then open the address there")
    opened(Opened(address=address, port=port))
    if ask.browser and not away:
        threading.Timer(0.3, webbrowser.open, [address]).start()
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends in good order, and passes the signal on
        make_server(session, token, port).run(sockets=[sock])


def make_server(session: Session, token: str, port: int) -> uvicorn.Server:
    """Return the server of a session, behind its guard."""
    config = uvicorn.Config(
        Guard(make_app(session), token, port), log_level="critical", access_log=False, lifespan="off",
        timeout_graceful_shutdown=_GRACE, limit_concurrency=200, server_header=False, date_header=False,
        h11_max_incomplete_event_size=1 << 16,
    )  # fmt: skip
    return uvicorn.Server(config)


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Listen on a port of this machine, 0 for a free one.

    Raises:
        EnvironmentProblem: it is taken.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
            sock.listen(128)
        except (OSError, OverflowError) as error:
            raise EnvironmentProblem(
                f"Port {port} can't be used: {error}.", remedy="--port 0 takes a free one."
            ) from error
        yield sock


def elsewhere(port: int) -> str:
    """Return the command that brings the studio to the machine of a person who is logged in over ssh; "" for others."""
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) != 4:
        return ""
    return f"ssh -N -L {port}:{HOST}:{port} {getpass.getuser()}@{connection[2]}"
