"""Trees of small images and masks, made from a table: `grow(folder, "images/a.png masks/a.png=A")`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SHAPE = (16, 20)
A, B, HOLLOW = np.zeros((3, *SHAPE), np.uint8)
A[2:6, 3:9], B[9:12, 10:16], HOLLOW[0] = 255, 255, 1
NUMBERS = A // 255 + B // 255 * 2
SOFT = A.copy()
SOFT[1, 3:9] = 90
PHOTO = np.random.default_rng(3).integers(60, 200, SHAPE).astype(np.uint8)
NAMED = {"A": A, "B": B, "0": np.zeros(SHAPE, np.uint8), "soft": SOFT, "": PHOTO, "photo": PHOTO, "inverted": 255 - A}


def grow(folder: Path, files: str | Mapping[str, object], texts: Mapping[str, str] | None = None) -> Path:
    """Write images and masks: `name=A` is a mask of that name here, a name alone an image; None is an empty file."""
    entries = dict(entry.partition("=")[::2] for entry in files.split()) if isinstance(files, str) else files
    for name, content in entries.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = NAMED[content] if isinstance(content, str) else content
        if pixels is None:
            path.write_bytes(b"")
        elif path.suffix == ".gif":
            Image.fromarray(np.asarray(pixels)).save(path)
        else:
            path.write_bytes(cv2.imencode(path.suffix, np.asarray(pixels))[1].tobytes())
    for name, text in (texts or {}).items():
        (folder / name).write_text(text)
    return folder
