"""Jobs as JSON lines: the plan that can be read, edited and given back, and the record of what was made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import marked
from coigan_aug.annotations.rle import Rle
from coigan_aug.errors import DataError
from coigan_aug.files import inside
from coigan_aug.geometry import Box
from coigan_aug.imaging import read_mask
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.synthesis.job import Job, PlannedDefect

Row = dict[str, Any]
PLAN = "plan.jsonl"


def row_of(prepared: Prepared, job: Job) -> Row:
    """Return a job as JSON values: classes and images by name, masks as COCO's compressed run lengths."""
    return {
        "number": job.number,
        "part": job.part,
        "attempt": job.attempt,
        "seed": job.seed,
        "base": prepared.dataset[job.base].file,
        "region": list(job.region),
        "erased": job.erased,
        "defects": [_defect_row(prepared, defect) for defect in job.defects],
    }


def _defect_row(prepared: Prepared, defect: PlannedDefect) -> Row:
    row: Row = {
        "class": prepared.dataset.names[defect.label],
        "contrast": defect.contrast,
        "shape": defect.shape,
    }
    if defect.shape_of is not None:
        item = prepared.objects[defect.shape_of]
        row["of"] = prepared.dataset[item.position].file
        row["object"] = prepared.by_record[item.position].index(defect.shape_of)
    if defect.warp:
        row["warp"] = list(defect.warp)
    if defect.bend:
        row["bend"] = list(defect.bend)
    return row | {"size": [defect.rle.height, defect.rle.width], "counts": defect.rle.counts}


@dataclass(frozen=True)
class Reader:
    """Reads rows back as jobs; the images they name must be training images of the data set."""

    prepared: Prepared
    by_file: Mapping[str, int]

    def job(self, row: Row, at: str, folder: Path) -> Job:
        """Return the job of a row.

        Args:
            at: where the row stands, for messages.
            folder: what the file of a mask that is given as an image is relative to.

        Raises:
            DataError: a class, base or shape is not of the training images, or a mask does not fit; the message says where.
        """
        try:
            base = self._training(row["base"], at, "base")
            left, top, width, height = (int(value) for value in row["region"])
            region, record = Box(left, top, width, height), self.prepared.dataset[base]
            if min(region) < 0 or not region.within(Box.of((record.height, record.width))):
                raise DataError(f"{at}: the region reaches beyond {record.file} ({record.height} x {record.width}).")
            defects = tuple(self._defect(item, at, folder, height, width) for item in row["defects"])
            if not defects:
                raise DataError(f"{at}: no defects.", remedy="Delete the line instead.")
            numbers = {key: int(row.get(key, 0)) for key in ("part", "attempt", "seed")}
            return Job(int(row["number"]), base, region, defects, bool(row.get("erased")), **numbers)
        except KeyError as error:
            raise DataError(f"{at}: {error.args[0]!r} is missing.") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{at}: a value is of another kind than a plan's: {error}") from error

    def _training(self, file: str, at: str, what: str) -> int:
        if file not in self.by_file:
            raise DataError(f"{at}: the {what} {file} is not among the training images.")
        return self.by_file[file]

    def _defect(self, row: Row, at: str, folder: Path, height: int, width: int) -> PlannedDefect:
        names = self.prepared.dataset.names
        if row["class"] not in names:
            raise DataError(f"{at}: there is no class {row['class']!r}.", remedy=f"Classes: {', '.join(names)}.")
        mask = _mask_of(row, folder)
        if (mask.height, mask.width) != (height, width) or rle.area(mask) == 0:
            raise DataError(
                f"{at}: a mask of {mask.height} x {mask.width} with {rle.area(mask)} pixels; the image to make has"
                f" {height} x {width}.",
                remedy="A mask must have the image's size and at least one pixel.",
            )
        return PlannedDefect(
            label=names.index(row["class"]),
            rle=mask,
            shape_of=self._object(row, at),
            warp=tuple(float(value) for value in row.get("warp", ())),
            contrast=float(row.get("contrast", 0.0)),
            bend=tuple(float(value) for value in row.get("bend", ())),
            shape=str(row.get("shape", "given")),
        )

    def _object(self, row: Row, at: str) -> int | None:
        if "of" not in row:
            return None
        own = self.prepared.by_record.get(self._training(row["of"], at, "image of the shape"), [])
        number = int(row.get("object", 0))
        if not 0 <= number < len(own):
            raise DataError(f"{at}: {row['of']} has {len(own)} objects; there is no object {number}.")
        return own[number]


def reader_of(prepared: Prepared) -> Reader:
    """Return what reads rows of these training images."""
    return Reader(prepared, {prepared.dataset[position].file: position for position in prepared.positions})


def _mask_of(row: Row, folder: Path) -> Rle:
    """Return a row's mask: its run lengths, or the non-zero pixels of the image file that `mask` names."""
    if "mask" in row:
        return rle.encode(marked(read_mask(inside(folder, str(row["mask"])))))
    height, width = (int(value) for value in row["size"])
    return rle.canonical(Rle(height, width, str(row["counts"])))


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Yield each line's place (`file:line`) and value.

    Raises:
        DataError: the file is missing, or a line is no JSON object.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist.", remedy="Make a plan with: coigan-aug synthesize ... --dry-run")
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                raise DataError(f"{path}:{number} is not a line of JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number} is not a JSON object.")
            yield f"{path}:{number}", row
