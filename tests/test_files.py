"""Files are whole or absent; names never leave their folder."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from coigan_aug.errors import DataError, ResourceError, UsageError
from coigan_aug.files import (
    atomic_write,
    folder_lock,
    inside,
    read_json,
    sha256,
    write_bytes,
    write_json,
)
from coigan_aug.sealed import read_lines


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as stream:
        stream.write(b"new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.txt"]


def test_a_process_killed_between_write_and_rename_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom coigan_aug.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as s:\n    s.write(b'new'); s.flush(); print('x', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert path.read_bytes() == b"old"


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="No space left to write"), atomic_write(tmp_path / "a") as stream:
        stream.write(b"x")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResourceError, match="Can't write"):
        write_bytes(tmp_path / "file" / "below", b"data")


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/passwd", "C:\\x.png", "..\\x.png", "", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="leaves the image folder"):
        inside(tmp_path, name)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(DataError, match="through a link"):
        inside(root, "link/x.png")


@pytest.mark.parametrize("name", ["a.png", "train/a b.png", "train\\a.png", "ä/ö.png", "a..b.png"])
def test_a_name_inside_the_folder_is_joined(tmp_path: Path, name: str) -> None:
    assert inside(tmp_path, name) == tmp_path / name.replace("\\", "/")


def test_a_torn_last_line_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a"')
    assert [line["a"] for line in read_lines(path)] == [1, 2]


def test_json_errors_name_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{\n "a": 1,\n "b" 2\n}')
    with pytest.raises(DataError, match=r"bad\.json:3 is not valid JSON"):
        read_json(path)


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def _hold(folder: Path, held: object, release: object) -> None:
    with folder_lock(folder):
        held.set()  # type: ignore[attr-defined]
        release.wait(30)  # type: ignore[attr-defined]


def _holder(folder: Path) -> tuple[multiprocessing.process.BaseProcess, Event]:
    """Start a process that holds a folder until the event is set, and return both once it does."""
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    child = context.Process(target=_hold, args=(folder, held, release))
    child.start()
    assert held.wait(30)
    return child, release


def test_a_lock_is_refused_while_its_holder_lives_and_free_after_its_death(tmp_path: Path) -> None:
    child, _ = _holder(tmp_path)
    with pytest.raises(UsageError, match=f"in use by process {child.pid}"), folder_lock(tmp_path):
        pass
    child.kill()
    child.join()
    time.sleep(0.05)
    with folder_lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_lock_that_waits_is_had_when_the_holder_lets_go(tmp_path: Path) -> None:
    child, release = _holder(tmp_path)
    threading.Timer(0.2, release.set).start()
    with folder_lock(tmp_path, wait=True):
        assert release.is_set()
    child.join()


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
