"""Write examples/reference.md: every command with its options, and every setting, from the program itself.

python examples/make_reference.py
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

import coigan_aug.settings
from coigan_aug.cli.main import app
from coigan_aug.config import RECIPES, TRANSLATION, load_settings, settings_to_dict
from coigan_aug.settings import Settings

HERE = Path(__file__).parent


def explanations() -> dict[str, dict[str, str]]:
    """Return the sentence under each setting, by class and field."""
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(Path(coigan_aug.settings.__file__).parent.glob("*.py")):
        for item in ast.parse(path.read_text()).body:
            if isinstance(item, ast.ClassDef):
                sentences = texts.setdefault(item.name, {})
                for field, text in zip(item.body, item.body[1:], strict=False):
                    if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                        sentences[field.target.id] = " ".join(ast.literal_eval(text.value).split())  # type: ignore[union-attr]
    return texts


def walk(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command with its name, those of groups as "evaluate quality"."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from walk(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def commands() -> list[str]:
    """Describe every command and its options."""
    lines = []
    for name, command in walk(get_command(app)):
        lines += [f"### coigan-aug {name}", "", command.help.strip(), "", "| option | meaning |", "|---|---|"]
        for item in command.params:
            if getattr(item, "hidden", False):
                continue
            opts = (
                ", ".join(f"`{opt}`" for opt in item.opts)
                if item.param_type_name == "option"
                else f"`{item.name.upper()}`"
            )
            lines.append(f"| {opts} | {' '.join(item.help.split())} |")
        lines.append("")
    return lines


def settings() -> list[str]:
    """Describe every setting with its value in each recipe."""
    texts = explanations()
    lines = []
    for section in dataclasses.fields(Settings):
        kind, translation = type(getattr(Settings(), section.name)).__name__, section.name == "translate"
        recipes = TRANSLATION if translation else RECIPES
        values = [settings_to_dict(load_settings(recipe=name, translation=translation)) for name in recipes]
        heads = " | ".join(recipes)
        lines += [f"### {section.name}", "", f"| key | {heads} | meaning |", "|---|" + "---|" * (len(recipes) + 1)]
        for key, text in texts[kind].items():
            shown = " | ".join(f"`{value[section.name][key]}`" for value in values)
            lines.append(f"| `{key}` | {shown} | {text} |")
        lines.append("")
    return lines


def reference() -> str:
    """Return the whole text."""
    head = "# Reference\n\nMade by `python examples/make_reference.py`; a test holds it to the program.\n"
    precedence = (
        "Later ones win: the defaults, the recipe, `coigan.yaml` in the current folder (or `--config FILE`),\n"
        "`--set section.key=value`, the flags."
    )
    return "\n".join([head, "## Commands", "", *commands(), "## Settings", "", precedence, "", *settings()])


if __name__ == "__main__":
    (HERE / "reference.md").write_text(reference())
