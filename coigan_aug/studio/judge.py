"""What the screen of `synthesize` would say of a picture, as far as it is ready to judge."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from coigan_aug.errors import CoiganError
from coigan_aug.folders import Folders
from coigan_aug.imaging import Pixels
from coigan_aug.progress import SILENT
from coigan_aug.segmenter.real_only import is_kept
from coigan_aug.studio.model import Model
from coigan_aug.synthesis.change import Change
from coigan_aug.synthesis.job import Job
from coigan_aug.synthesis.resemblance import known_objects
from coigan_aug.synthesis.screen import Finding, Screen, screen_of

REASONS = {
    "invisible": "too little of it can be seen",
    "mask": "what changed is not what the mask says",
    "copy": "too like a training object",
    "seam": "its outline shows as a seam",
}


class Closed(CoiganError):
    """Nobody waits for this any more."""


@dataclass
class Judge:
    """The screen of a model; the parts that take time to load come when they are there.

    `learned` says whether a segmenter looks too: only where an earlier synthesis has trained one in this workspace.
    """

    workspace: Folders
    model: Model
    screen: Screen = field(init=False)
    state: str = "loading"
    _begun: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.screen = Screen(self.model.settings, self.model.margin)

    def begin(self) -> None:
        """Load what looks for copies, and the segmenter where there is one, in a thread of its own; once."""
        with self._lock:
            if self._begun:
                return
            self._begun = True
        threading.Thread(target=self._load, name="studio screen").start()

    def close(self) -> None:
        """Give up what is being loaded."""
        self._closed.set()

    def _goes_on(self, done: int, total: int, note: str = "") -> None:
        if self._closed.is_set():
            raise Closed("The studio was closed.")

    def _load(self) -> None:
        model, cache = self.model, self.workspace.cache
        try:
            if is_kept(model.prepared.dataset, model.settings, cache_root=cache, device=model.device):
                self.screen = screen_of(
                    model.prepared, model.settings, on=True, copies=True, cache_root=cache, device=model.device,
                    talk=SILENT,
                )  # fmt: skip
            else:
                known = known_objects(model.prepared, cache_root=cache, device=model.device, report=self._goes_on)
                self.screen = replace(self.screen, known=known)
            self.state = "ready"
        except CoiganError as error:
            self.state = error.message

    def judge(self, job: Job, image: Pixels) -> dict[str, Any]:
        """Say of each defect how it shows and where it ends, and what the screen would reject the picture for."""
        screen = self.screen
        engines = [self.model.engine.name] * len(job.defects)
        changes, finding = screen.judge(job, self.model.surface(job.base), image, engines)
        distances = [self._distance(screen, job, image, k) for k in range(len(job.defects))]
        return {
            "passes": finding is None,
            "finding": None if finding is None else self._said(finding),
            "defects": [
                self._defect(job, k, change, distance)
                for k, (change, distance) in enumerate(zip(changes, distances, strict=True))
            ],
            "limits": {
                "shown": self.model.settings.synthesize.least_shown, "seam": self.model.settings.synthesize.most_seam,
            },
            "state": self.state,
            "segmenter": screen.sight is not None,
        }  # fmt: skip

    def _distance(self, screen: Screen, job: Job, image: Pixels, k: int) -> tuple[float, float] | None:
        """Return how far a defect is from the nearest training object, and how near it may come; None: nobody knows."""
        if screen.known is None:
            return None
        limit = screen.known.limits[job.defects[k].label]
        with contextlib.suppress(CoiganError):
            distance = screen.known.distance(image, job.defects[k].label, job.defects[k].rle)
            return None if limit is None else (distance, limit)
        return None

    def _said(self, finding: Finding) -> Mapping[str, Any]:
        return {
            "reason": finding.reason, "words": REASONS.get(finding.reason, finding.reason),
            "class": self.model.names[finding.label], "value": round(finding.value, 3), "limit": round(finding.limit, 3),
        }  # fmt: skip

    def _defect(self, job: Job, k: int, change: Change, near: tuple[float, float] | None) -> Mapping[str, Any]:
        return {
            "class": self.model.names[job.defects[k].label],
            "shown": round(change.shown, 3),
            "overlap": round(change.iou, 3),
            "seam": None if change.seam is None else round(change.seam, 3),
            "distance": None if near is None else round(near[0], 3),
            "nearest": None if near is None else round(near[1], 3),
        }
