"""The Dockerfile is held to what hadolint asks for, and to the project's own files; nothing here builds it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 does not read TOML")
ROOT = Path(__file__).parent.parent
KNOWN = {"FROM", "ARG", "RUN", "COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """The instructions with their arguments, lines that go on put together."""
    text = (ROOT / "examples" / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in whole)]


def _of(steps: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for own, rest in steps if own == word]


def test_all_instructions_are_known_and_the_first_says_a_version(steps: list[tuple[str, str]]) -> None:
    assert {word for word, _ in steps} <= KNOWN
    assert steps[0][0] == "FROM"
    base, version = re.fullmatch(r"(\w+):([\d.]+)-slim", steps[0][1]).groups()  # type: ignore[union-attr]
    assert base == "python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    least = project["requires-python"].removeprefix(">=").split(".")
    assert [int(part) for part in version.split(".")] >= [int(part) for part in least]


def test_packages_leave_no_lists_and_caches(steps: list[tuple[str, str]]) -> None:
    """hadolint DL3008, DL3009, DL3015, DL3042, and no sudo (DL3004)."""
    for command in _of(steps, "RUN"):
        assert "sudo" not in command
        if "apt-get install" in command:
            assert "apt-get update" in command and "rm -rf /var/lib/apt/lists/*" in command
            assert "--no-install-recommends" in command and "--yes" in command
        assert command.count("pip install") == command.count("pip install --no-cache-dir")


def test_the_shell_can_read_every_command(steps: list[tuple[str, str]]) -> None:
    for command in _of(steps, "RUN"):
        done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_what_is_copied_is_there_and_is_what_the_package_needs(steps: list[tuple[str, str]]) -> None:
    names = [name for rest in _of(steps, "COPY") for name in rest.split()[:-1]]
    assert all((ROOT / name).exists() for name in names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"pyproject.toml", "coigan_aug", project["readme"], *project["license-files"]} == set(names)


def test_torch_is_asked_for_as_the_package_does(steps: list[tuple[str, str]]) -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (command,) = (command for command in _of(steps, "RUN") if "torchvision" in command)
    for name in ("torch", "torchvision"):
        (own,) = [item for item in wanted if re.match(rf"{name}>=", item)]
        assert f'"{own}"' in command
    for address, option in (("", []), ("https://wheels.example/cpu", ["--index-url", "https://wheels.example/cpu"])):
        said = command.replace("pip", "printf '%s\\n'", 1)
        done = subprocess.run(["sh", "-c", f"CPU_WHEELS={address}; {said}"], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[2:-2] == option
    assert _of(steps, "ARG") == ["CPU_WHEELS="]


def test_it_runs_the_command_as_somebody_who_is_not_root(steps: list[tuple[str, str]]) -> None:
    assert _of(steps, "USER") == ["1000:1000"]
    assert [word for word, _ in steps].index("USER") > max(k for k, (word, _) in enumerate(steps) if word == "RUN")
    (script,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert json.loads(_of(steps, "ENTRYPOINT")[0]) == [script]
    assert json.loads(_of(steps, "CMD")[0]) == ["--help"]
    assert all(Path(folder).is_absolute() for folder in _of(steps, "WORKDIR"))
