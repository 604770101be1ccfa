"""What a person sees of import, train and synthesize in a row: on terminals of 80 and 120 columns, and in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.imaging import write_image
from coigan_aug.progress import Report
from coigan_aug.synthesis.run import synthesize as make_set
from tests.conftest import SMALL, pages_left_bare

SETTINGS = [f"--set={item}" for item in SMALL if not item.startswith(("synthesize.", "train.images", "evaluate."))]
SETTINGS += ["--set=train.batch=2", "--set=log.samples_every=100", "--set=log.checkpoint_every=100"]
SESSION = (
    ["import", "data"],
    ["train", "--recipe", "tiny", "--images-seen", "8", *SETTINGS],
    ["synthesize", "--per-class", "1", "--out", "made", "--no-screen"],
)
FINISHED = "38;2;114;156;31"  # rich's colour of a bar at its end, "bar.finished"


NOTE = "rejected unusual resemblance surroundings invisible implausible misplaced overlapping indistinguishable"


def _slowly(*arguments: Any, report: Report, **more: Any) -> Any:
    """Make a set with a long note beside the bar, and work on for half a second when all is counted."""
    report(0, 1, NOTE)
    time.sleep(0.2)  # until it is drawn
    made = make_set(*arguments, report=report, **more)
    time.sleep(0.5)
    return made


@dataclass
class Seen:
    """What was sent, piece by piece with its time (s), from the beginning to the end of the session."""

    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    begun: float = 0.0
    ended: float = 0.0

    @property
    def text(self) -> str:
        return b"".join(data for _, data in self.pieces).decode()

    @property
    def lines(self) -> list[str]:
        """Every line and every state of a line, without colours and what moves the cursor."""
        return [line.rstrip() for line in re.split("[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text))]

    @property
    def words(self) -> set[str]:
        return set(re.findall(r"[A-Za-z]{2,}", "\n".join(self.lines)))


def _read(end: int, seen: Seen) -> None:
    try:
        while data := os.read(end, 65536):
            seen.pieces.append((time.monotonic(), data))
    except OSError:  # Linux' way to say that the other side of a terminal is closed
        return


def _session(columns: int | None) -> Seen:
    """Run the session with stdout and stderr in a terminal of so many columns, or in a pipe."""
    mine, theirs = os.pipe() if columns is None else pty.openpty()
    if columns is not None:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    seen, kept = Seen(begun=time.monotonic()), [os.dup(number) for number in (1, 2)]
    reader = threading.Thread(target=_read, args=(mine, seen))
    reader.start()
    with pytest.MonkeyPatch.context() as patch, pages_left_bare():
        for number in (1, 2):
            os.dup2(theirs, number)
        os.close(theirs)
        patch.setattr("coigan_aug.stages.synthesize.make_set", _slowly)
        patch.setattr(sys, "stderr", os.fdopen(2, "w", closefd=False))
        try:
            for arguments in SESSION:
                patch.setattr(sys, "argv", ["coigan-aug", *arguments])
                assert run(app) == 0
        finally:
            sys.stderr.flush()
            for number, before in zip((1, 2), kept, strict=True):
                os.dup2(before, number)
                os.close(before)
    reader.join()
    os.close(mine)
    seen.ended = time.monotonic()
    return seen


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int | None], Seen]]:
    """Return a function that runs the session once at each width."""
    draw, known = np.random.default_rng(0), dict[int | None, Seen]()

    def session(columns: int | None) -> Seen:
        if columns not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path_factory.mktemp("session"))
                patch.setenv("TERM", "xterm-256color")
                patch.setenv("COLORTERM", "truecolor")
                for name in ("COLUMNS", "LINES", "NO_COLOR", "COIGAN_WORKSPACE"):
                    patch.delenv(name, raising=False)
                for k in range(8):
                    image, mask = draw.integers(90, 160, (40, 48)).astype(np.uint8), np.zeros((40, 48), np.uint8)
                    kind = "Square" if k % 2 else "Free"
                    if k % 2:
                        mask[10 + k : 20 + k, 12 : 26 + k] = 255
                        image[mask > 0] = 20
                    write_image(Path("data") / f"T_{kind}" / f"{k}.jpg", image)
                    write_image(Path("data") / f"T_{kind}" / f"{k}.png", mask)
                known[columns] = _session(columns)
        return known[columns]

    session(None)  # what is loaded for the first time is loaded here
    yield session


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_cut(
    sessions: Callable[[int | None], Seen], columns: int
) -> None:
    seen, whole = sessions(columns), sessions(200 - columns).words | sessions(None).words | set(NOTE.split())
    assert {"loading", "train", "synthesize", "reading"} <= seen.words
    wide = [line for line in seen.lines if len(line) > columns]
    assert not [line for line in wide if not line.strip().startswith("coigan-aug ")]  # a command is to be copied whole
    assert "…" not in seen.text
    assert seen.words <= whole


@pytest.mark.parametrize("columns", [80, 120])
def test_something_moves_every_three_seconds(sessions: Callable[[int | None], Seen], columns: int) -> None:
    seen = sessions(columns)
    times = [seen.begun, *(at for at, _ in seen.pieces), seen.ended]
    assert max(later - before for before, later in pairwise(times)) < 3


@pytest.mark.parametrize("columns", [80, 120])
def test_no_bar_is_at_its_end_while_its_step_works(sessions: Callable[[int | None], Seen], columns: int) -> None:
    """A bar has the colour of the end when its step ends, which draws it once more, and at most once before by the clock."""
    states = [state for state in re.split("[\r\n]+", sessions(columns).text) if "━" in state]
    titles = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", state).split("━")[0].strip() for state in states]
    assert "synthesize" in titles
    for title, same in groupby(zip(titles, states, strict=True), key=lambda pair: pair[0]):
        assert sum(FINISHED in state for _, state in same) <= 3, title


def test_a_pipe_gets_plain_lines(sessions: Callable[[int | None], Seen]) -> None:
    text = sessions(None).text
    assert "\x1b" not in text and "\r" not in text and "━━━ " not in text
    assert re.search(r"^train 8 / 8  0:00:\d\d gone", text, re.MULTILINE)
