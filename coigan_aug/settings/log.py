"""The section log."""

from __future__ import annotations

from dataclasses import dataclass

from coigan_aug.settings.ranges import check


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """What a run leaves behind while it goes."""

    metrics_every: int = 20
    """steps between lines of metrics.jsonl; lower it to see a short run, or where a loss breaks out"""
    samples_every: int = 20_000
    """samples seen between sample grids"""
    checkpoint_every: int = 10_000
    """samples seen between checkpoints"""
    keep: int = 3
    """checkpoints kept; raise it to go back further than the last but two, lower it where the disk is small"""
    watch_every: int = 0
    """samples seen between measurements of how far drawn defects are from real ones (KID in the masks); 0: none"""

    def __post_init__(self) -> None:
        check(self, "metrics_every", "samples_every", "checkpoint_every", "keep", low=1)
        check(self, "watch_every", low=0)
