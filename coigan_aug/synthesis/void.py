"""What is void of a picture that was made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.void import without
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.synthesis.bases import void_of
from coigan_aug.synthesis.job import Job, base_of
from coigan_aug.synthesis.paste import PUT, void_brought


def made_void(prepared: Prepared, job: Job, engines: Sequence[str], *, margin: int) -> rle.Rle | None:
    """Return what is void of its base, and what copies brought along round their masks; None where nothing is.

    Args:
        engines: what drew each defect.
        margin: how far round its mask a defect changes pixels, px.
    """
    if not prepared.void:
        return None
    shape = (job.region.height, job.region.width)
    base = void_of(prepared, base_of(job))
    brought = [
        mask
        for defect, engine in zip(job.defects, engines, strict=True)
        if engine in PUT and (mask := void_brought(prepared, defect, shape, margin=margin)) is not None
    ]
    parts = [*([] if base is None else [base]), *(rle.encode(np.asarray(mask)) for mask in brought)]
    return without(rle.union(parts), [defect.rle for defect in job.defects]) if parts else None
