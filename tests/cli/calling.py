"""Run the command line in the tests' own process."""

from __future__ import annotations

import sys

import pytest

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str, str]:
    """Run `coigan-aug` with these arguments: exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["coigan-aug", *arguments])
    code = run(app)
    out, err = capsys.readouterr()
    return code, out, err
