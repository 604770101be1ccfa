"""Write examples/layouts.md: the layouts of folders that are read, from their declarations.

python examples/make_layouts.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from coigan_aug.formats.masks.layouts import GENERAL, LAYOUTS, Declaration

HEAD = """# Folders of mask images that are read

Made by `python examples/make_layouts.py` from the program's own declarations; a test holds it to them. Name the folder as
it came: `coigan-aug import FOLDER` says which layout it is. KIND is the folder of the defect and becomes its class, `train`
stands for train, val and test, `good` for any name that says so (good, ok, normal, no_defect, ...); folders round it, such
as those of products, may be more. Case and the files' endings do not count, nor do the usual words for a mask round a name
(`_mask`, `_gt`, `_label`, `_seg`, `mask_`, `x.png.png`).

An image without a mask is *unknown* where its layout has one for each, where most of its neighbours have one, or where a
mask is left over: it is named, drawn upon nowhere and not counted as clean. Masks without an image and images that a layout
has no place for are named, too. `--classes defect` makes one class of all.

None of these? Any two folders pair by the names in them, and a regular expression says where names differ:

    coigan-aug import MASKS --images IMAGES
    coigan-aug import MASKS --images IMAGES --pair '(?P<key>\\d+)_GT'

| layout | images | masks | clean images | class | image without a mask |
|---|---|---|---|---|---|
"""

TAIL = """
## What the pixels of a mask mean

| a mask has | it is |
|---|---|
| one value beside 0: 1 or 255, in 16 bits also 65535 | the defect |
| a transparent background | the defect where it is opaque; of several colours each a class: `--classes a=#ff0000,b=#00ff00` |
| grey edges, or is a JPEG | the defect above half |
| small numbers | classes, to be named: `--classes a=1,b=2`; or the numbers of objects: `--classes NAME` |
| small numbers and 255 | classes with a void border, neither defect nor clean surface: `--classes a=1,b=2,ignore=255` |
| most of every image | a question: `--invert-masks`, or `--no-invert-masks` if they are right |
| another size than its image, in the same proportions | refused; `--resize-masks` brings it to the image's size |
| many values and nothing that is all black or white | no mask but a photograph: refused |
"""

BARE = {"unknown": "unknown", "clean": "clean", "judged": "as its neighbours"}


def layouts() -> str:
    """Return the page."""
    rows = [" | ".join(("", *row(known), "")).strip() for known in (*LAYOUTS, *GENERAL)]
    notes = [f"- {known.name}: {known.note}" for known in (*LAYOUTS, *GENERAL) if known.note]
    return HEAD + "\n".join([*rows, "", *notes, ""]) + TAIL


def row(known: Declaration) -> Iterator[str]:
    """Yield the cells of a layout."""
    yield known.name
    yield from ("<br>".join(f"`{pattern}`" for pattern in known.shown(kind)) for kind in ("images", "masks", "clean"))
    yield known.classes
    yield BARE[known.bare]


if __name__ == "__main__":
    (Path(__file__).parent / "layouts.md").write_text(layouts())
