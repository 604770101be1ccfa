"""An open studio on a small workspace: a data set, a run of an untrained generator, a synthetic set."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug.annotations.rle import Mask
from coigan_aug.checkpoint import load_generator
from coigan_aug.folders import Folders
from coigan_aug.prepare.prepared import prepare
from coigan_aug.sealed import write_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.studio.serve import listening, make_server
from coigan_aug.studio.session import Session
from coigan_aug.studio.wire import Layer, Painted, join_message, pack_mask
from coigan_aug.synthesis.style import FILE, Direction, Directions, packed
from coigan_aug.training.run import find_run
from tests.report.conftest import copy_with_classes, write_run, write_synthetic
from tests.synthesis.styled import styled_generator

TOKEN = "secret"


@dataclass
class Open:
    """A studio that listens in a thread of this process."""

    session: Session
    port: int
    answers: list[int] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/{TOKEN}/"

    def ask(
        self, method: str, path: str, body: bytes = b"", *, headers: dict[str, str] | None = None, token: str = TOKEN
    ) -> tuple[int, bytes]:
        """Ask as any program could: the status and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, f"/{token}/{path}", body or None, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, value: Any = None) -> Any:
        """Ask for JSON, which must be answered."""
        status, body = self.ask(method, path, b"" if value is None else json.dumps(value).encode())
        assert status == 200, body
        return json.loads(body)


@contextmanager
def open_studio(workspace: Path) -> Iterator[Open]:
    session = Session(Folders(workspace), "coigan-aug studio")
    session.load(None)
    with listening(0) as sock:
        port = sock.getsockname()[1]
        server = make_server(session, TOKEN, port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        try:
            yield Open(session, port)
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            session.close()
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def made_workspace(tmp_path_factory: pytest.TempPathFactory, toy: Dataset, small: Settings) -> Path:
    """The workspace, to be copied."""
    workspace = tmp_path_factory.mktemp("studio") / "coigan"
    dataset = copy_with_classes(toy, workspace / "dataset", toy.classes)
    write_run(workspace / "runs", dataset, small, command="coigan-aug train --recipe tiny")
    write_synthetic(workspace, dataset)
    return workspace


def give_style(workspace: Folders, small: Settings) -> str:
    """Give the workspace's run a generator with a latent, and a kept and a dropped direction; return the run's name."""
    trained = find_run(workspace.runs, None)
    prepared = prepare(Dataset(workspace.dataset), small.data, cache_root=workspace.cache)
    styled_generator(trained.folder, prepared, small)
    (trained.folder / "generator.safetensors").rename(trained.generator)
    kept, dropped = (
        Direction(name=name, vector=packed(np.full(6, 0.4, np.float32)), explained=0.5, spearman=0.9, drags={}, why=why)
        for name, why in (("darkness", ""), ("grain", "it drags darkness along"))
    )
    measured = Directions(
        generator=load_generator(trained.generator).sha256, program="", latents=20, seed=0, found_on=[], tried_on=[],
        directions=[kept, dropped],
    )  # fmt: skip
    write_sealed(trained.folder / FILE, measured)
    return trained.name


def copied(made: Path, folder: Path) -> Path:
    shutil.copytree(made.parent, folder, dirs_exist_ok=True)
    return folder / "coigan"


@pytest.fixture(scope="module")
def studio(made_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """A studio for the tests of a file."""
    with open_studio(copied(made_workspace, tmp_path_factory.mktemp("open"))) as opened:
        yield opened


@pytest.fixture
def session(made_workspace: Path, tmp_path: Path) -> Iterator[Session]:
    """A session of its own, without a server."""
    opened = Session(Folders(copied(made_workspace, tmp_path)), "coigan-aug studio")
    opened.load(None)
    yield opened
    opened.close()


def painted(session: Session, masks: Sequence[tuple[str, Mask]], **more: Any) -> tuple[Painted, memoryview]:
    """A request with full-size masks on the first clean base."""
    model = session.current()
    base = next(k for k, base in sorted(model.bases.items()) if not base.erased)
    layers = tuple(Layer(label=label, box=(0, 0, mask.shape[1], mask.shape[0])) for label, mask in masks)
    bits = b"".join(pack_mask(mask) for _, mask in masks)
    return Painted(**{"base": base, "run": model.run.name, "layers": layers} | more), memoryview(bits)


def message(asked: Painted, bits: memoryview) -> bytes:
    """The body that the page would send."""
    layers = [{"class": layer.label, "box": list(layer.box), "contrast": layer.contrast} for layer in asked.layers]
    head = {"base": asked.base, "run": asked.run, "layers": layers, "seeds": list(asked.seeds), "into": asked.into}
    return join_message(head | {"client": asked.client, "slot": asked.slot}, [bytes(bits)])


def disc(at: tuple[int, int], radius: int) -> Mask:
    """A mask of the toy images' size."""
    rows, columns = np.ogrid[:72, :96]
    return ((rows - at[0]) ** 2 + (columns - at[1]) ** 2 <= radius**2).astype(np.uint8)
