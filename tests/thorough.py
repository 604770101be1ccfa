"""How much a test tries of what has no end: a quarter of it in every run, all of it with THOROUGH=1, as before a release."""

from __future__ import annotations

import os

THOROUGH = bool(os.environ.get("THOROUGH"))


def tries(number: int) -> int:
    """Return how many of so many random examples, places or damages are tried."""
    return number if THOROUGH else -(-number // 4)
