"""Jobs as JSON lines: the plan that can be read, edited and given back, and the record of what was made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, structs

from coigan_aug.annotations import rle
from coigan_aug.annotations.masks import marked
from coigan_aug.annotations.rle import Rle
from coigan_aug.errors import DataError
from coigan_aug.files import inside
from coigan_aug.geometry import Box
from coigan_aug.imaging import read_mask
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import Damaged, open_line, read_structs
from coigan_aug.synthesis.change import Change
from coigan_aug.synthesis.job import Job, PlannedDefect
from coigan_aug.synthesis.rejected import Rejected
from coigan_aug.synthesis.style import MOST

PLAN = "plan.jsonl"
Style = dict[str, Annotated[float, Meta(ge=-MOST, le=MOST)]]


class DefectRow(Struct, frozen=True, kw_only=True):
    """A defect to draw: its class, where its shape comes from, its mask as size and COCO's compressed run lengths.

    `of` is the image of the training object that it is shaped after, `object` its number there. In a plan that a person
    edits `mask` may name an image file instead of size and counts. `latent` is what it is drawn with, where it has one of its
    own, and `projected_from` the training object that this was found on: its image and its number there.
    """

    label: str = msgspec.field(name="class")
    contrast: float = 0.0
    shape: str = "given"
    of: str | UnsetType = UNSET
    object: int | UnsetType = UNSET
    warp: tuple[float, ...] | UnsetType = UNSET
    bend: tuple[float, ...] | UnsetType = UNSET
    strength: Annotated[float, Meta(ge=0, le=2)] | UnsetType = UNSET
    latent: str | UnsetType = UNSET
    projected_from: tuple[str, int] | UnsetType = UNSET
    size: tuple[int, int] = (0, 0)
    counts: str = ""
    mask: str | UnsetType = UNSET


class Row(Struct, frozen=True, kw_only=True):
    """A job, its class and images by name: a line of a plan."""

    number: Annotated[int, Meta(ge=1, lt=1 << 31)]
    part: Annotated[int, Meta(ge=0, lt=1 << 31)] = 0
    attempt: Annotated[int, Meta(ge=0, lt=1 << 31)] = 0
    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] = 0
    base: str
    region: Box
    erased: bool = False
    truncation: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    style: Style | UnsetType = UNSET
    defects: tuple[DefectRow, ...]


class MadeDefect(DefectRow, frozen=True, kw_only=True):
    """A defect that was drawn: by which engine, the share of its mask that changed, and how what changed overlaps it.

    `labelled` are the counts of the mask that its annotation has, where that is not the planned one.
    """

    engine: str
    shown: float
    effective_iou: float
    labelled: str | UnsetType = UNSET


class MadeRow(Struct, frozen=True, kw_only=True):
    """An image that was made, and the job that it was: a line of a finished set's plan.

    `void` are the counts of what is void of it, where there is any.
    """

    file: str
    number: int
    part: int
    attempt: int
    seed: int
    base: str
    region: Box
    erased: bool
    defects: tuple[MadeDefect, ...]
    truncation: float | UnsetType = UNSET
    style: Style | UnsetType = UNSET
    void: str | UnsetType = UNSET


class LogRow(Struct, frozen=True, kw_only=True):
    """A finished number of a plan: what was made, the tries that were rejected, the classes of defects that no try gave."""

    number: int
    made: tuple[MadeRow, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    missing: tuple[str, ...] = ()


def row_of(prepared: Prepared, job: Job) -> Row:
    """Return a job as a line of a plan."""
    return Row(
        number=job.number,
        part=job.part,
        attempt=job.attempt,
        seed=job.seed,
        base=prepared.dataset[job.base].file,
        region=job.region,
        erased=job.erased,
        truncation=UNSET if job.truncation == 1 else job.truncation,
        style=dict(job.style) or UNSET,
        defects=tuple(_defect_row(prepared, defect) for defect in job.defects),
    )


def _defect_row(prepared: Prepared, defect: PlannedDefect) -> DefectRow:
    of: str | UnsetType = UNSET
    number: int | UnsetType = UNSET
    if defect.shape_of is not None:
        of, number = name_of(prepared, defect.shape_of)
    source = defect.projected_from
    return DefectRow(
        label=prepared.dataset.names[defect.label],
        contrast=defect.contrast,
        shape=defect.shape,
        of=of,
        object=number,
        warp=defect.warp or UNSET,
        bend=defect.bend or UNSET,
        strength=UNSET if defect.strength == 1 else defect.strength,
        latent=defect.latent or UNSET,
        projected_from=UNSET if source is None else name_of(prepared, source),
        size=(defect.rle.height, defect.rle.width),
        counts=defect.rle.counts,
    )


def name_of(prepared: Prepared, number: int) -> tuple[str, int]:
    """Return an object of the training images (its place in `objects`) as its image's file and its number there, from 0."""
    position = prepared.objects[number].position
    return prepared.dataset[position].file, prepared.by_record[position].index(number)


def made_row(
    prepared: Prepared,
    job: Job,
    *,
    file: str,
    engines: Sequence[str],
    changes: Sequence[Change],
    labelled: Sequence[Rle] | None = None,
    void: Rle | None = None,
) -> MadeRow:
    """Return an image that was made as a line of the log: what drew each defect, what changed, and what is void.

    Args:
        labelled: the masks of the annotations, where they are not the planned ones.
    """
    row = row_of(prepared, job)
    masks: Sequence[Rle | None] = labelled or [None] * len(changes)
    defects = tuple(
        MadeDefect(
            **structs.asdict(defect),
            engine=engine,
            shown=round(change.shown, 4),
            effective_iou=round(change.iou, 4),
            labelled=mask.counts if mask is not None else UNSET,
        )
        for defect, engine, change, mask in zip(row.defects, engines, changes, masks, strict=True)
    )
    values = {**structs.asdict(row), "defects": defects}
    return MadeRow(file=file, **values, void=UNSET if void is None else void.counts)


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
        base = self._training(row.base, at, "base")
        region, record = Box(*row.region), self.prepared.dataset[base]
        if min(region) < 0 or not region.within(Box.of((record.height, record.width))):
            raise DataError(f"{at}: the region reaches beyond {record.file} ({record.height} x {record.width}).")
        defects = tuple(self._defect(item, at, folder, region.height, region.width) for item in row.defects)
        if not defects:
            raise DataError(f"{at}: no defects.", remedy="Delete the line instead.")
        return Job(
            row.number, base, region, defects, row.erased, row.part, row.attempt, row.seed,
            truncation=1.0 if row.truncation is UNSET else row.truncation,
            style=() if row.style is UNSET else tuple(sorted(row.style.items())),
        )  # fmt: skip

    def _training(self, file: str, at: str, what: str) -> int:
        if file not in self.by_file:
            raise DataError(f"{at}: the {what} {file} is not among the training images.")
        return self.by_file[file]

    def _defect(self, row: DefectRow, at: str, folder: Path, height: int, width: int) -> PlannedDefect:
        names = self.prepared.dataset.names
        if row.label not in names:
            raise DataError(f"{at}: there is no class {row.label!r}.", remedy=f"Classes: {', '.join(names)}.")
        mask = _mask_of(row, at, folder)
        if (mask.height, mask.width) != (height, width) or rle.area(mask) == 0:
            raise DataError(
                f"{at}: a mask of {mask.height} x {mask.width} with {rle.area(mask)} pixels; the image to make has"
                f" {height} x {width}.",
                remedy="A mask must have the image's size and at least one pixel.",
            )
        return PlannedDefect(
            label=names.index(row.label),
            rle=mask,
            shape_of=None if row.of is UNSET else self.object(row.of, row.object or 0, at),
            warp=row.warp or (),
            contrast=row.contrast,
            bend=row.bend or (),
            shape=row.shape,
            strength=1.0 if row.strength is UNSET else row.strength,
            latent=row.latent or "",
            projected_from=None if row.projected_from is UNSET else self.object(*row.projected_from, at),
        )

    def object(self, file: str, number: int, at: str) -> int:
        """Return where in the training images' `objects` an object stands: its image's file, its number there from 0.

        Raises:
            DataError: the image is none of them, or has no such object.
        """
        objects = self.prepared.by_record.get(self._training(file, at, "image of the object"), [])
        if not 0 <= number < len(objects):
            raise DataError(f"{at}: {file} has {len(objects)} objects; there is no object {number}.")
        return objects[number]


def reader_of(prepared: Prepared) -> Reader:
    """Return what reads rows of these training images."""
    return Reader(prepared, {prepared.dataset[position].file: position for position in prepared.positions})


def _mask_of(row: DefectRow, at: str, folder: Path) -> Rle:
    """Return a row's mask: its run lengths, or the non-zero pixels of the image file that `mask` names."""
    if row.mask is not UNSET:
        return rle.encode(marked(read_mask(inside(folder, row.mask))))
    for name, value in (("size", any(row.size)), ("counts", row.counts)):
        if not value:
            raise DataError(f"{at}: {name!r} is missing.")
    try:
        return rle.canonical(Rle(*row.size, row.counts))
    except ValueError as error:
        raise DataError(f"{at}: {_OTHER_KIND}: {error}") from error


_LARGEST = 1e9  # px, and far beyond any contrast
_WRITE = "Each line is one JSON object, as synthesize --dry-run writes them."
_OTHER_KIND = "a value is of another kind than a plan's"


def read_rows(path: Path, *, changed: bool = False) -> Iterator[tuple[str, Row]]:
    """Yield each line's place (`file:line`) and value of a plan that somebody gives.

    Args:
        changed: take lines of ours that are not as they were written.

    Raises:
        DataError: the file is missing, a line is no JSON object, or lacks a value or has one of another kind.
        Damaged: a line is not as it was written.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist.", remedy="Make a plan with: coigan-aug synthesize ... --dry-run")
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            at = f"{path}:{number}"
            try:
                value = open_line(line, changed=changed)
            except Damaged as error:
                raise Damaged(
                    f"{at}: {error.message}.", remedy="If you edited the plan, add --accept-changes."
                ) from error
            except ValueError as error:
                raise DataError(f"{at} is not a line of JSON: {error}", remedy=_WRITE) from error
            if not isinstance(value, dict):
                raise DataError(f"{at} is not a JSON object.", remedy=_WRITE)
            yield at, _row(value, at)


def _row(value: object, at: str) -> Row:
    """Turn a line into a row; a number may stand there as text."""
    try:
        row = msgspec.convert(value, Row, strict=False)
        numbers = [n for item in row.defects for n in (item.contrast, *(item.warp or ()), *(item.bend or ()))]
        if not all(abs(number) < _LARGEST for number in numbers):
            raise msgspec.ValidationError(f"a number is not finite, or over {_LARGEST:,.0f}")
        return row
    except (msgspec.ValidationError, RecursionError) as error:
        missing = re.match(r"Object missing required field `(\w+)`", str(error))
        raise DataError(f"{at}: {missing[1]!r} is missing." if missing else f"{at}: {_OTHER_KIND}: {error}") from error


def read_made(out: Path) -> Iterator[MadeRow]:
    """Return the plan of a set as it was made, a line at a time.

    Raises:
        Damaged: a line is not as it was written.
    """
    return read_structs(out / PLAN, MadeRow, remedy="Draw the set again with --overwrite.")
