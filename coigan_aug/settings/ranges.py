"""Checks of one setting: each refusal names section, key, value and what is allowed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from coigan_aug.errors import ConfigError


def check(owner: Any, *names: str, low: float | None = None, high: float | None = None) -> None:
    """Check that settings of a section lie in a range, both ends included.

    Raises:
        ConfigError: one does not.
    """
    for name in names:
        value = getattr(owner, name)
        if (low is None or value >= low) and (high is None or value <= high):
            continue
        allowed = f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
        raise ConfigError(f"{_section(owner)}.{name} is {value}; allowed: {allowed}.")


def choice(owner: Any, name: str, choices: Collection[str]) -> None:
    """Check that a setting is one of some words, or a list of them.

    Raises:
        ConfigError: it is not, or empty.
    """
    value = getattr(owner, name)
    several = isinstance(value, tuple)
    if not value or any(one not in choices for one in (value if several else (value,))):
        said = f"{list(value)}; choose among" if several else f"{value!r}; choose one of"
        raise ConfigError(f"{_section(owner)}.{name} is {said}: {', '.join(choices)}.")


def _section(owner: Any) -> str:
    return type(owner).__name__.removesuffix("Settings").lower()
