"""Shapes to paint with: the masks of the training objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.errors import UsageError, class_named
from coigan_aug.imaging import encode_image
from coigan_aug.pictures import mark
from coigan_aug.prepare.objects import DefectObject
from coigan_aug.studio.model import Model
from coigan_aug.studio.sets import fit_in
from coigan_aug.studio.wire import box_values, join_message, pack_mask

_ROUND = 8  # px of surface round a shape in its picture


def list_shapes(model: Model, label: str) -> list[dict[str, Any]]:
    """List the training objects of a class, smallest first: number, file, width and height in px.

    Raises:
        UsageError: there is no such class.
    """
    members = model.prepared.by_class[model.names.index(class_named(label, model.names))]
    boxes = {k: rle.box(model.prepared.objects[k].full) for k in members}
    return [
        {
            "id": k, "file": model.prepared.dataset[model.prepared.objects[k].position].file,
            "width": boxes[k].width, "height": boxes[k].height,
        }
        for k in sorted(members, key=lambda k: (boxes[k].width * boxes[k].height, k))
    ]  # fmt: skip


def shape(model: Model, number: int) -> bytes:
    """Return the mask of a training object: a message of its box in its image and its bits.

    Raises:
        UsageError: there is no such object.
    """
    full = object_of(model, number).full
    box = rle.box(full)
    return join_message({"box": box_values(box)}, [pack_mask(rle.decode_box(full, box))])


def shape_picture(model: Model, number: int, *, side: int) -> bytes:
    """Return a training object with its outline as JPEG bytes."""
    item = object_of(model, number)
    image = model.prepared.dataset.image(item.position)
    region = rle.box(item.full).grow(_ROUND).clip(image.shape)
    pixels, classes = np.ascontiguousarray(image[region.slices]), model.prepared.dataset.classes
    outlined = mark(pixels, rle.decode_box(item.full, region)[None], [classes[item.label]])
    return encode_image(fit_in(outlined, side), suffix=".jpg", quality=85)


def object_of(model: Model, number: int) -> DefectObject:
    """Return a training object by its number.

    Raises:
        UsageError: there is no such object.
    """
    if not 0 <= number < len(model.prepared.objects):
        raise UsageError(f"There is no object {number}.")
    return model.prepared.objects[number]
