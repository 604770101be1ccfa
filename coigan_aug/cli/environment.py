"""What can be told of the machine before torch is loaded."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

from coigan_aug.errors import EnvironmentProblem
from coigan_aug.progress import Talk


def load_torch(*, quiet: bool) -> None:
    """Load torch, which takes seconds, and show that this is being done; refuse it first where `check_torch` does."""
    check_torch()
    with Talk(quiet=quiet).step("loading torch"):
        importlib.import_module("torch")


def check_torch() -> None:
    """Refuse torch and torchvision of different builds, by their version files; importing them would fail obscurely.

    Raises:
        EnvironmentProblem: one is missing, or one is built for CUDA and the other is not.
    """
    texts = {name: _version_file(name) for name in ("torch", "torchvision")}
    for name, text in texts.items():
        if text is None:
            raise EnvironmentProblem(f"{name} is not installed.", remedy="pip install torch torchvision")
    versions = {name: _field(text or "", "__version__") or "" for name, text in texts.items()}
    builds = {name: _build(versions[name], _field(text or "", "cuda")) for name, text in texts.items()}
    if None not in builds.values() and builds["torch"] != builds["torchvision"]:
        both = " and ".join(f"{name} {versions[name]} is built for {builds[name]}" for name in texts)
        raise EnvironmentProblem(
            f"torch and torchvision do not fit together: {both}.",
            remedy="pip install --force-reinstall torch torchvision",
        )


def _build(version: str, cuda: str | None) -> str | None:
    """Return what a package is built for; None where its version file does not tell."""
    if "+cpu" in version:
        return "the CPU"
    return "CUDA" if "+cu" in version or cuda else None


def _version_file(name: str) -> str | None:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "version.py"
    return path.read_text() if path.exists() else None


def _field(text: str, name: str) -> str | None:
    """Read `name = 'value'` out of a version file; None where the value is None or missing."""
    match = re.search(rf"^{name}\s*(?::[^=]*)?=\s*['\"]([^'\"]*)['\"]", text, re.MULTILINE)
    return match[1] if match else None
