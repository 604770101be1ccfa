"""The command studio: it listens, says where, and ends in good order; what it lacks it names."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from coigan_aug.studio import serve
from tests.cli.calling import call
from tests.studio.conftest import copied


def test_it_says_where_it_listens_and_serves_the_page_there(
    made_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = copied(made_workspace, tmp_path)
    make, pages = serve.make_server, list[bytes]()

    def visited(session: Any, token: str, port: int) -> Any:
        server = make(session, token, port)
        run = server.run

        def visit(sockets: Any) -> None:
            thread = threading.Thread(target=run, kwargs={"sockets": sockets})
            thread.start()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{token}/", timeout=30) as answer:
                pages.append(answer.read())
            server.should_exit = True
            thread.join(20)

        server.run = visit
        return server

    monkeypatch.setattr(serve, "make_server", visited)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    code, out, err = call(capsys, monkeypatch, "studio", str(workspace), "--no-browser", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["address"].startswith(f"http://127.0.0.1:{told['port']}/")
    assert len(told["address"].rstrip("/").rpartition("/")[2]) >= 20
    assert told["address"] in err
    assert b"coigan-aug" in pages[0]
    assert (serve.HOST, "The studio is closed." in err) == ("127.0.0.1", True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nowhere"], 3, "holds no trained generator"),
        (["{workspace}", "--run", "nine"], 3, "There is no run 'nine'"),
        (["{workspace}", "--port", "-1"], 2, "port"),
        (["{workspace}", "--port", "99999"], 4, "Port 99999 can't be used"),
    ],
)
def test_a_mistake_is_told_with_its_exit_code(
    made_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: int, says: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    workspace = str(copied(made_workspace, tmp_path))
    given = [part.format(workspace=workspace) for part in arguments]
    found, out, err = call(capsys, monkeypatch, "studio", *given, "--no-browser")
    assert found == code, err
    assert says in err
    assert out == ""
    assert "Traceback" not in err


def test_a_missing_extra_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = importlib.import_module

    def without(name: str, package: str | None = None) -> Any:
        if name == "uvicorn":
            raise ImportError(name)
        return real(name, package)

    monkeypatch.delitem(sys.modules, "uvicorn", raising=False)
    monkeypatch.setattr(importlib, "import_module", without)
    code, _, err = call(capsys, monkeypatch, "studio", "--no-browser")
    assert code == 4
    assert "uvicorn" in err
    assert 'pip install "coigan-aug[studio]"' in err
