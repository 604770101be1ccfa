"""A torch that does not fit its torchvision is found without importing either."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from coigan_aug.cli.environment import check_torch
from coigan_aug.errors import EnvironmentProblem


def _install(folder: Path, name: str, version: str, cuda: str | None) -> None:
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    (package / "version.py").write_text(f"__version__ = '{version}'\ncuda: Optional[str] = {cuda!r}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in ("torch", "torchvision"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize(("version", "cuda"), [("0.28.0", "12.8"), ("0.28.0+cu132", None)])
def test_a_cpu_torch_beside_a_cuda_torchvision_is_refused_with_the_line_that_mends_it(
    site: Path, version: str, cuda: str | None
) -> None:
    _install(site, "torch", "2.13.0+cpu", None)
    _install(site, "torchvision", version, cuda)
    with pytest.raises(EnvironmentProblem, match=r"torch 2\.13\.0\+cpu is built for the CPU and torchvision") as caught:
        check_torch()
    assert "pip install --force-reinstall torch torchvision" in str(caught.value)


@pytest.mark.parametrize("cuda", [None, "12.8"])
def test_a_pair_of_one_build_is_fine(site: Path, cuda: str | None) -> None:
    _install(site, "torch", "2.13.0", cuda)
    _install(site, "torchvision", "0.28.0", cuda)
    check_torch()


def test_a_missing_torch_is_named(site: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="torch is not installed"):
        check_torch()
