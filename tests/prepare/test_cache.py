"""The decoded cache is made once, also when two commands start at the same moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.compose.erase import TELEA, with_erased
from coigan_aug.errors import Stopped
from coigan_aug.imaging import Pixels
from coigan_aug.prepare.cache import BEGUN, BEGUN_PIXELS, LISTED, PIXELS, DecodedCache, Edit, open_cache
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.store.dataset import Dataset


def _open(folder: Path, root: Path, sums: object) -> None:
    dataset = Dataset(folder)
    cache = open_cache(dataset, range(len(dataset)), scale=0.5, root=root)
    sums.put([int(cache[position].sum()) for position in cache])  # type: ignore[attr-defined]


def test_two_processes_that_need_the_same_cache_both_get_it(toy: Dataset, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    sums = context.Queue()
    children = [context.Process(target=_open, args=(toy.folder, tmp_path, sums)) for _ in range(2)]
    for child in children:
        child.start()
    found = [sums.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert found[0] == found[1]
    assert np.all(found[0])
    assert len(list(tmp_path.glob("*/cache.json"))) == 1


def test_a_cache_that_was_left_half_made_is_made_anew(toy: Dataset, tmp_path: Path) -> None:
    """What is written last is missing: the pixels beside it are not to be trusted."""
    whole = open_cache(toy, [0, 1], scale=0.5, root=tmp_path / "whole")
    torn = tmp_path / "torn" / whole.folder.name
    torn.mkdir(parents=True)
    (torn / "pixels.bin").write_bytes(b"torn")
    made = open_cache(toy, [0, 1], scale=0.5, root=tmp_path / "torn")
    assert made.folder == torn
    assert all(np.array_equal(made[position], whole[position]) for position in (0, 1))


class _Counted:
    """Turns images dark, and asks to stop, or fails, at one of them."""

    def __init__(self, at: int, how: Callable[[], None]) -> None:
        self.seen, self.at, self.how = list[int](), at, how

    def __call__(self, position: int, pixels: Pixels) -> Pixels:
        self.seen.append(position)
        if len(self.seen) == self.at:
            self.how()
        return pixels // 2


def _open_counted(toy: Dataset, root: Path, edit: _Counted) -> DecodedCache:
    return open_cache(toy, range(6), scale=0.5, root=root, edit=Edit("dark", edit))


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _fail() -> None:
    raise KeyError("as a process that is killed")


def _half_made(toy: Dataset, root: Path, how: Callable[[], None], error: type[Exception]) -> Path:
    with pytest.raises(error):
        _open_counted(toy, root, _Counted(4, how))
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return folder


@pytest.fixture
def whole(toy: Dataset, tmp_path: Path) -> bytes:
    return (_open_counted(toy, tmp_path / "whole", _Counted(0, _fail)).folder / PIXELS).read_bytes()


def test_a_cache_that_is_stopped_says_so_and_goes_on(toy: Dataset, tmp_path: Path, whole: bytes) -> None:
    with pytest.raises(Stopped, match=r"^Stopped; 4 of 6 images are done and kept\.") as stopped:
        _open_counted(toy, tmp_path / "kept", _Counted(4, _interrupt))
    assert stopped.value.remedy == "Continue with the same command."
    rest = _Counted(0, _fail)
    made = _open_counted(toy, tmp_path / "kept", rest)
    assert rest.seen == [4, 5]
    assert (made.folder / PIXELS).read_bytes() == whole
    assert sorted(path.name for path in made.folder.iterdir()) == sorted([".lock", LISTED, PIXELS])


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (lambda log, pixels: (log, pixels), [3, 4, 5]),
        (lambda log, pixels: (log, pixels[:-1]), [2, 3, 4, 5]),
        (lambda log, pixels: (log, pixels + b"torn"), [3, 4, 5]),
        (lambda log, pixels: (log[:-9], pixels), [2, 3, 4, 5]),
        (lambda log, pixels: (log, bytes([pixels[0] ^ 1]) + pixels[1:]), [0, 1, 2, 3, 4, 5]),
        (lambda log, pixels: (b"", pixels), [0, 1, 2, 3, 4, 5]),
        (lambda log, pixels: (log.replace(b"[1,", b"[2,"), pixels), [1, 2, 3, 4, 5]),
    ],
)
def test_what_a_killed_process_left_is_taken_as_far_as_it_is_whole(
    toy: Dataset, tmp_path: Path, whole: bytes, damage: Callable[[bytes, bytes], tuple[bytes, bytes]], left: list[int]
) -> None:
    folder = _half_made(toy, tmp_path / "kept", _fail, KeyError)
    files = folder / BEGUN, folder / BEGUN_PIXELS
    for path, data in zip(files, damage(*(path.read_bytes() for path in files)), strict=True):
        path.write_bytes(data)
    rest = _Counted(0, _fail)
    made = _open_counted(toy, tmp_path / "kept", rest)
    assert rest.seen == left
    assert (made.folder / PIXELS).read_bytes() == whole


def test_erasing_that_is_stopped_goes_on(prepared: Prepared, tmp_path: Path) -> None:
    expected, told = with_erased(prepared, TELEA, cache_root=tmp_path / "whole"), list[int]()

    def stop(done: int, total: int, note: str = "") -> None:
        if done == 2:
            _interrupt()

    with pytest.raises(Stopped, match="2 of"):
        with_erased(prepared, TELEA, cache_root=tmp_path / "kept", report=stop)
    again = with_erased(
        prepared, TELEA, cache_root=tmp_path / "kept", report=lambda done, total, note="": told.append(done)
    )
    assert told[0] == 2
    assert expected.erased is not None and again.erased is not None
    for position in expected.erased:
        assert np.array_equal(expected.erased[position], again.erased[position])
