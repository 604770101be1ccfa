"""Synthetic defect images with exact masks, from a team's own annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coigan_aug.workspace import Workspace

__all__ = ["Workspace", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load `Workspace` when it is asked for: what imports one module of the package need not load the API."""
    if name == "Workspace":
        from coigan_aug.workspace import Workspace

        return Workspace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
