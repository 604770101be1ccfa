"""Loads the studio, or says which extra it lacks."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from coigan_aug.errors import EnvironmentProblem


def load_studio() -> Callable[..., None]:
    """Return the stage `serve.studio`.

    Raises:
        EnvironmentProblem: Starlette or uvicorn is not installed.
    """
    for name in ("starlette", "uvicorn"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise EnvironmentProblem(
                f"The studio needs {name}, which is not installed.", remedy='pip install "coigan-aug[studio]"'
            ) from error
    serve: Any = importlib.import_module("coigan_aug.studio.serve")
    stage: Callable[..., None] = serve.studio
    return stage
