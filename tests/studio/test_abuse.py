"""Whoever asks what they may not, or too much, is refused in words, and the studio lives on."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from coigan_aug.errors import EnvironmentProblem
from coigan_aug.studio.guard import MOST_BYTES
from coigan_aug.studio.serve import elsewhere, listening
from tests.studio.conftest import TOKEN, Open, copied, disc, message, open_studio, painted

SPOT = disc((30, 40), 5)


@pytest.fixture(autouse=True)
def lives_on(studio: Open) -> Iterator[None]:
    """After each test the studio still answers."""
    yield
    assert studio.json("GET", "api/state")["run"] == "001-tiny"


def _body(studio: Open, **more: object) -> bytes:
    return message(*painted(studio.session, [("spot", SPOT)], **more))


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "../" + TOKEN, "%73ecret0"])
def test_without_the_token_nothing_is_answered(studio: Open, token: str) -> None:
    for path in ("", "api/state", "static/main.js"):
        status, body = studio.ask("GET", path, token=token)
        assert status == 403
        assert b"token" in body
        assert TOKEN.encode() not in body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "localhost.evil:8", ""]
)
def test_another_host_is_refused(studio: Open, host: str) -> None:
    status, body = studio.ask("GET", "api/state", headers={"Host": host})
    assert status in (400, 403)
    assert b"run" not in body


def test_localhost_is_this_host_too(studio: Open) -> None:
    assert studio.ask("GET", "api/state", headers={"Host": f"localhost:{studio.port}"})[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
def test_a_post_from_another_page_is_refused(studio: Open, headers: dict[str, str]) -> None:
    status, body = studio.ask("POST", "api/draw", _body(studio), headers=headers)
    assert status == 403
    assert b"own page" in body


def test_a_post_from_the_own_page_is_answered(studio: Open) -> None:
    own = {"Origin": f"http://127.0.0.1:{studio.port}", "Sec-Fetch-Site": "same-origin"}
    assert studio.ask("POST", "api/draw", _body(studio), headers=own)[0] == 200


def _raw(studio: Open, head: str, parts: Iterator[bytes]) -> bytes:
    """Send a request by hand until the studio hangs up; return what it said."""
    said = b""
    with socket.create_connection(("127.0.0.1", studio.port), timeout=30) as sock:
        sock.sendall(head.encode())
        try:
            for part in parts:
                sock.sendall(part)
        except OSError:
            pass  # it hung up: what it said may lie in the buffer
        try:
            while block := sock.recv(1 << 16):
                said += block
        except OSError:
            pass
    return said


def test_a_body_of_100_megabytes_is_refused_by_its_stated_length(studio: Open) -> None:
    start = f"POST /{TOKEN}/api/draw HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n"
    said = _raw(studio, f"{start}Content-Length: {100 << 20}\r\n\r\n", iter([b"x" * 1000]))
    assert b" 413 " in said.splitlines()[0]
    assert MOST_BYTES < 100 << 20


def test_a_body_without_a_stated_length_is_refused_where_it_grows_too_long(
    studio: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coigan_aug.studio.guard.MOST_BYTES", 300_000)
    start = f"POST /{TOKEN}/api/draw HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n"
    block = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    said = _raw(studio, f"{start}Transfer-Encoding: chunked\r\n\r\n", (block for _ in range(6)))
    assert b" 413 " in said.splitlines()[0]


PATHS = [
    "static/../app.py", "static/..%2fapp.py", "static/%2e%2e%2fapp.py", "static/..", "static/__init__.py", "api/sets/../../x",
    "api/sets/..%2f..%2fetc", "api/sets/%2e%2e", "api/sets/%2fetc%2fpasswd", "api/sets/..%2fdataset/images/0", "api/runs/..",
    "api/runs/..%2f..", "api/runs/..%2f001-tiny/samples/0", "api/runs/001-tiny/samples/99", "api/base/..", "api/base/3",
    "api/thumb/99999", "api/shape/99999", "api/shape/99999/picture", "api/shapes?class=../..", "api/sets/made/images/9999",
    "api/sets/dataset?from=-1", "api/sets/dataset?from=../..", "api/sets/made/rejected/0", "api/sets/made/images/0?side=x",
    "api/nothing", "../../etc/passwd", "static/main.js/..",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_reaches_a_file_that_is_not_the_studios(studio: Open, path: str) -> None:
    status, body = studio.ask("GET", path)
    assert 400 <= status < 500
    assert b"root:" not in body
    assert b"import annotations" not in body
    assert json.loads(body)["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("api/load", b'{"run": "../001-tiny"}'), ("api/load", b'{"run": "/etc"}'), ("api/load", b"[]"), ("api/load", b"\xff"),
        ("api/sets/..%2fdataset/verdict", b'{"position": 0, "verdict": "rejected"}'),
        ("api/sets/dataset/verdict", b'{"position": 0, "verdict": "rejected"}'),
        ("api/sets/made/verdict", b'{"position": 99, "verdict": "rejected"}'),
        ("api/sets/made/verdict", b'{"position": 0, "verdict": "../x"}'),
        ("api/sets/made/verdict", b'{"position": "0", "verdict": "rejected"}'), ("api/sets/..%2fx/accepted", b"{}"),
        ("api/draw", b""), ("api/draw", b"\0\0\0\0"), ("api/draw", b"[" * 5000), ("api/judge", b"\xff" * 99),
        ("api/keep", b"x"),
    ],
)  # fmt: skip
def test_a_request_that_is_none_is_answered_in_words_and_writes_nothing(studio: Open, path: str, body: bytes) -> None:
    root = studio.session.workspace.root
    before = sorted(root.parent.rglob("*"))
    status, said = studio.ask("POST", path, body)
    assert 400 <= status < 500
    assert json.loads(said)["message"]
    assert sorted(root.parent.rglob("*")) == before


@pytest.mark.parametrize("field", ["run", "into"])
def test_a_path_in_a_field_of_a_message_is_no_path(studio: Open, field: str) -> None:
    status, said = studio.ask("POST", "api/keep", _body(studio, **{field: "../../up"}))
    assert 400 <= status < 500
    assert json.loads(said)["message"]


def test_a_page_may_load_nothing_from_elsewhere_and_nobody_may_frame_it(studio: Open) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=30)
    connection.request("GET", f"/{TOKEN}/")
    headers = dict(connection.getresponse().getheaders())
    connection.close()
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_fifty_requests_at_once_are_drawn_given_up_or_refused(studio: Open) -> None:
    bodies = [_body(studio, seeds=(k,), client=str(k % 40)) for k in range(50)]
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda body: studio.ask("POST", "api/draw", body), bodies))
    counts = Counter(status for status, _ in answers)
    assert set(counts) <= {200, 409, 503}
    assert counts[200] >= 1
    for status, said in answers:
        assert status == 200 or json.loads(said)["message"]


def test_a_browser_that_goes_in_mid_request_leaves_the_others_alone(studio: Open) -> None:
    body = _body(studio)
    head = f"POST /{TOKEN}/api/draw HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nContent-Length: {len(body)}\r\n\r\n"
    for sent in (head.encode(), head.encode() + body[: len(body) // 2], head.encode() + body):
        with socket.create_connection(("127.0.0.1", studio.port), timeout=30) as sock:
            sock.sendall(sent)
    assert studio.ask("POST", "api/draw", body)[0] == 200


def test_files_that_vanish_while_it_is_open_are_told_in_words(made_workspace: Path, tmp_path: Path) -> None:
    workspace = copied(made_workspace, tmp_path)
    with open_studio(workspace) as opened:
        body = _body(opened)
        assert opened.ask("POST", "api/draw", body)[0] == 200
        (workspace / "runs/001-tiny/generator.safetensors").unlink()
        assert opened.ask("POST", "api/draw", body)[0] == 200  # it is in memory
        opened.session.models.clear()
        status, said = opened.ask("POST", "api/draw", body)
        assert (status, "001-tiny" in json.loads(said)["message"]) == (422, True)
    with pytest.raises(Exception, match="no trained generator"), open_studio(workspace):
        pass


def test_a_port_that_is_taken_is_told(studio: Open) -> None:
    with pytest.raises(EnvironmentProblem, match=f"Port {studio.port}") as told, listening(studio.port):
        pass
    assert "--port 0" in told.value.remedy
    with pytest.raises(EnvironmentProblem), listening(70_000):
        pass


def test_over_ssh_the_line_for_the_own_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    assert elsewhere(8123) == ""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.1 5000 10.0.0.2 22")
    monkeypatch.setenv("LOGNAME", "ada")
    assert elsewhere(8123) == "ssh -N -L 8123:127.0.0.1:8123 ada@10.0.0.2"
