"""The documents say what the program does."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from coigan_aug import __version__
from coigan_aug.cli.main import app
from coigan_aug.config import load_settings

ROOT = Path(__file__).parent.parent
WINNER = "start"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "examples").rglob("*.md"))]


def test_the_reference_is_what_the_program_says() -> None:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "examples" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "examples" / "reference.md").read_text() == module.reference(), "python examples/make_reference.py"


def _commands(text: str) -> list[list[str]]:
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [shlex.split(part, comments=True)[1:] for part in parts if part.startswith("coigan-aug ")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_is_understood(document: Path) -> None:
    """Each is parsed as far as the command's own body."""
    for arguments in _commands(document.read_text()):
        command, rest = get_command(app), [argument for argument in arguments if argument != "--help"]
        while hasattr(command, "commands"):
            command, rest = command.commands[rest[0]], rest[1:]  # type: ignore[attr-defined]
        parsed = command.make_context(command.name, rest)
        assert parsed.params or not command.params, arguments


def test_the_readme_has_the_two_set_up_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "pip install . && coigan-aug demo" in text
    assert 'pip install -e ".[dev]" && pytest' in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), target


def test_the_starting_line_is_the_recipe_without_what_the_ablation_added() -> None:
    begun = load_settings(recipe="tiny", file=ROOT / "examples" / "starting_line.yaml")
    ablation = _ablation()
    assert begun.model.generator == "unet"
    assert begun.data == load_settings(recipe="tiny", overrides=ablation.variants["none"]).data
    assert begun.train == load_settings(recipe="tiny", overrides=ablation.variants["none"]).train


def test_every_release_has_its_place_in_the_changelog() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text


def test_every_variant_of_the_ablation_has_settings_that_exist() -> None:
    ablation = _ablation()
    made = []
    for name, changes in ablation.variants.items():
        made.append(repr(load_settings(recipe=ablation.recipe_of(name), overrides=[*ablation.settings, *changes])))
    assert len(made) == len(set(made)), "no two are the same"


def test_the_recipe_tiny_is_the_variant_that_won() -> None:
    recipe, winner = (load_settings(recipe="tiny", overrides=changes) for changes in ([], _ablation().variants[WINNER]))
    assert recipe == winner


def _ablation() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))
        return importlib.import_module("ablate").Ablation.read(ROOT / "examples" / "ablation.yaml")
