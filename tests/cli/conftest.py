"""A workspace with a run, for the commands that draw or measure."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from coigan_aug.cli.ending import run
from coigan_aug.cli.main import app
from coigan_aug.store.dataset import Dataset
from tests.conftest import SMALL


@pytest.fixture(scope="session")
def trained(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the small data set and a run of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(toy.image_root, folder / "images")
    shutil.copytree(toy.folder, folder / "coigan" / "dataset")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settings = [f"--set={item}" for item in (*SMALL, "train.images=8")]
        patch.setattr(sys, "argv", ["coigan-aug", "train", "--recipe", "tiny", "--quiet", *settings])
        assert run(app) == 0
    return folder


@pytest.fixture
def drawable(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside a copy of it."""
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    shutil.copytree(trained, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"
