"""Converting: one format's annotations, or a Dataset, to another format, with what got lost on the way."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from coigan_aug import __version__
from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError, UsageError
from coigan_aug.files import disk_errors, inside, leads_out
from coigan_aug.formats.dataset_source import find_dataset, read_dataset
from coigan_aug.formats.detect import FORMATS, format_named, open_source
from coigan_aug.formats.format import Format
from coigan_aug.formats.losses import Loss, Losses
from coigan_aug.formats.reading import Reading, check_masks, drain
from coigan_aug.formats.source import Problem, Problems, ReadOptions, Source, side_of
from coigan_aug.formats.spool import Spool
from coigan_aug.formats.whole_folder import whole_folder
from coigan_aug.imaging import read_header
from coigan_aug.progress import Report, silently

IMAGE_FILES = ("copy", "link", "none")
_LEFT_OUT = "images of unknown state, which are left out"
_AS_KNOWN = "images of unknown state, of which only the masks that could be used are written"
_VOID = "images with void pixels, which nothing tells from clean surface"
_ELSEWHERE = "images that EXIF turns when they are shown, so that their masks lie elsewhere"


@dataclass(frozen=True, kw_only=True)
class WriteOptions:
    """How to write a format, where it can be written in several ways.

    Args:
        polygons: COCO: outlines for this reader ("pycocotools", "cv2") instead of run lengths.
        crowd: COCO: iscrowd 1 on run lengths.
        binary: line-json: packed binary JSON.
    """

    polygons: str | None = None
    crowd: bool = False
    binary: bool = False

    def of(self, form: Format) -> dict[str, Any]:
        """Return the options that were given, for a format's writer.

        Raises:
            UsageError: one is for another format.
        """
        given = {key: value for key, value in asdict(self).items() if value}
        for key in (key for key in given if key not in form.options):
            owner = next(known.name for known in FORMATS if key in known.options)
            raise UsageError(f"--{key} is for {owner}, not for {form.name}.", remedy=f"--to {owner}, or leave it out.")
        return given


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What a conversion made.

    `source` and `to` are names of formats ("dataset" for a Dataset). `split_lost` says that the source was split into
    train and test and the format does not say so. `losses` are what the format could not hold, `notes` what it has no
    place for though images and classes can be told apart, `problems` what was odd in the source.
    """

    folder: Path
    annotations: Path
    source: str
    to: str
    description: str
    images: int
    defect_free: int
    masks: int
    classes: tuple[str, ...]
    image_files: str
    split_lost: bool
    losses: tuple[Loss, ...]
    notes: tuple[Loss, ...]
    problems: tuple[Problem, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"folder": str(self.folder), "annotations": str(self.annotations)}


@dataclass
class _Tally:
    """What is counted while records are written."""

    images: int = 0
    defect_free: int = 0
    masks: int = 0
    split: bool = False

    def add(self, record: ImageRecord) -> None:
        self.images += 1
        self.defect_free += record.state == "clean"
        self.masks += len(record.annotations)
        self.split = self.split or bool(record.split or record.source.get("split"))


def convert(
    source: Path,
    out: Path,
    *,
    to: str,
    options: ReadOptions | None = None,
    style: WriteOptions | None = None,
    format: str | None = None,
    image_files: str = "copy",
    strict: bool = False,
    overwrite: bool = False,
    progress: Callable[[str], Report] | None = None,
    say: Callable[[str], None] | None = None,
) -> Conversion:
    """Write the annotations of `source` to a new folder `out` in the format `to`, with its images.

    The folder is made whole or not at all. Images come in the order of their names and the masks of an image in that of
    their ids, so the order of rows in the source does not matter where they have no order of their own. Memory does
    not grow with the number of images beyond what the source's reader keeps, but while a COCO file is checked
    (`check_written`, up to a limit).

    Args:
        source: an annotation file, a folder of one, a Dataset or a workspace that holds one.
        to: one of `formats.detect.FORMATS`.
        format: the format of the source; None looks.
        image_files: "copy", "link" (hard links) or "none": annotations alone, which name images as the source does.
        strict: the first problem and the first loss are errors; notes are not.
        overwrite: replace what an earlier conversion wrote to `out`.
        progress: called with the title of each long step; returns what reports it.
        say: called with the description of the source once that is known.

    Raises:
        UsageError: an option is out of range; `out` holds other files, or a conversion and `overwrite` is off.
        DataError: the source can't be read, holds no image, or has a problem that no option allows.
        ResourceError: the disk is full or `out` can't be written to.
    """
    options, style, report = options or ReadOptions(), style or WriteOptions(), progress or silently
    form = format_named(to)
    extra = style.of(form)
    _check(source, out, options=options, image_files=image_files)
    options = replace(options, images_needed=image_files != "none")
    reading = Reading(source, options=options, problems=Problems(strict=strict))
    losses, tally = Losses(strict=strict), _Tally()
    about: dict[str, Any] = {"program": __version__, "to": to, "source": str(source.resolve())}
    with whole_folder(out, about=about, overwrite=overwrite) as work:
        opened = _open(reading, format)
        if out.exists() and opened.image_root.resolve().is_relative_to(out.resolve()):
            raise UsageError(f"the images lie in {out}, the folder to write.", remedy="Give another DST.")
        if say is not None:
            say(opened.description)
        with Spool(work / "records.sqlite") as spool:
            unknown = 0
            for record in drain(opened.records, count=opened.count, report=report("reading")):
                name, unknown = _spelled(record), unknown + record.unknown
                spool.add(record, name=_path(name, record.file) if image_files != "none" else name)
            spool.settle()
            if not spool.count:
                raise DataError(f"{source} holds no images.", remedy="Say where they are: --images DIR")
            check_masks(source, masks=spool.masks, unknown=unknown, problems=reading.problems)
            place = _Place(opened.image_root, work / "new", form, image_files)
            records = _written(reading, spool, place, losses=losses, tally=tally)
            path = form.write(
                work / "new", drain(records, count=spool.count, report=report("writing")), classes=opened.classes,
                losses=losses, **extra, **_ids(spool, form, losses),
            )  # fmt: skip
        about |= {"images": tally.images}
    return Conversion(
        folder=out,
        annotations=out / path.relative_to(work / "new"),
        source=opened.format,
        to=to,
        description=opened.description,
        images=tally.images,
        defect_free=tally.defect_free,
        masks=tally.masks,
        classes=tuple(known.name for known in opened.classes),
        image_files=image_files,
        split_lost=tally.split and "split" not in form.keeps,
        losses=losses.lost(),
        notes=losses.noted(),
        problems=tuple(reading.problems.all),
    )


def _check(source: Path, out: Path, *, options: ReadOptions, image_files: str) -> None:
    if image_files not in IMAGE_FILES:
        raise UsageError(
            f"--image-files {image_files} is none of {', '.join(IMAGE_FILES)}.", remedy="Leave it out to copy."
        )
    if options.size is not None and image_files != "none":
        what = "--size is for images that are not at hand; there is nothing to " + image_files + "."
        raise UsageError(what, remedy="--image-files none")
    if not source.exists():
        raise DataError(
            f"{source} does not exist.", remedy="Name an annotation file, a folder of masks, or a workspace."
        )
    if source.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"{source} lies in {out}, the folder to write.", remedy="Give another DST.")


def _open(reading: Reading, name: str | None) -> Source:
    dataset = find_dataset(reading.path) if name is None else None
    if dataset is not None:
        return read_dataset(replace(reading, path=dataset))
    return open_source(reading.path, options=reading.options, problems=reading.problems, name=name)


# Reading


def _spelled(record: ImageRecord) -> str:
    """Return an image's name as the source spells it."""
    return str(record.source.get("name", record.file))


def _path(name: str, file: str) -> str:
    """Return the path that a file is copied to: as the source names it, where that is a path; else as it lies.

    >>> _path("train/a.jpg", "a.jpg"), _path("/tmp/a.jpg", "a.jpg"), _path("a", "a.jpg")
    ('train/a.jpg', 'a.jpg', 'a.jpg')
    """
    plain = name.replace("\\", "/").removeprefix("./")
    path = PurePosixPath(plain)
    odd = leads_out(plain) or ":" in plain or str(path) != plain
    return file if odd or path.suffix != PurePosixPath(file).suffix else plain


def _ids(spool: Spool, form: Format, losses: Losses) -> dict[str, bool]:
    """Return which ids of the source are written, as options of the format's writer; count the images' that are not."""
    usable = spool.have_image_ids()
    if "id" not in form.keeps:
        losses.note("image ids, which the format does not keep", first=spool.first_with_id, count=spool.with_id)
    elif not usable:
        losses.add("image ids, which are numbered anew", first=spool.first_with_id, count=spool.with_id)
    kept = {"image_ids": usable, "mask_ids": spool.have_mask_ids(), "notes": True}
    return {key: value for key, value in kept.items() if key in form.options}


# Writing


@dataclass(frozen=True)
class _Place:
    """From where to where image files go, for which format, and how: "copy", "link", "none"."""

    root: Path
    new: Path
    form: Format
    how: str


def _written(reading: Reading, spool: Spool, place: _Place, *, losses: Losses, tally: _Tally) -> Iterator[ImageRecord]:
    """Yield the records as they are to be written, having put their images into place.

    No format but a Dataset can say that an image's state is unknown. One without a mask would be read as free of defects,
    so it is left out; one that has masks left is written with those.
    """
    begins = next((f"{name}/" for name in (known.image_folder for known in FORMATS) if spool.all_below(name)), "")
    for name, record in spool:
        file = name
        if record.unknown and not record.annotations:
            losses.add(_LEFT_OUT, first=name)
            continue
        if place.how != "none":
            file = place.form.place_of(name.removeprefix(begins))
            if not _copied(reading, record.file, file, place):
                continue
            if place.form.shown_turned and record.annotations:
                losses.add(_ELSEWHERE, first=name, count=_is_turned(place.new / file))
        losses.add(_AS_KNOWN, first=name, count=record.unknown)
        losses.add(_VOID, first=name, count=record.void is not None and not place.form.void)
        _count_losses(record, name, losses, keeps=place.form.keeps)
        gone = place.how == "none" and place.form.nameless and not record.annotations
        losses.add("images without a mask, which only their files would tell of", first=name, count=gone)
        tally.add(record)
        yield replace(record, file=file, split=record.split or side_of(record.source.get("split")))


def _is_turned(image: Path) -> bool:
    try:
        return read_header(image).orientation > 1
    except DataError:  # nobody asked whether the image can be read
        return False


def _count_losses(record: ImageRecord, name: str, losses: Losses, *, keeps: frozenset[str]) -> None:
    """Count what no writer knows of."""
    spelled = _spelled(record)
    losses.add("file names, which the source spells otherwise", first=spelled, count=name != spelled)
    plain = {key for key, value in record.source.items() if "notes" in keeps and isinstance(value, (str, int, float))}
    gone = bool(record.source.keys() - {"id", "name", "split"} - keeps - plain)
    losses.add("images with notes beside their masks, which are not written", first=name, count=gone)


def _copied(reading: Reading, source: str, target: str, place: _Place) -> bool:
    """Copy or link an image into place; False where it is missing and may be skipped, which is noted."""
    here = inside(place.root, source)
    if leads_out(target):
        raise DataError(f"the file name {target!r} leaves the folder {place.new}")
    there = place.new / target  # no link lies there
    if not here.is_file():
        what = f"{source} not found in {place.root.name}/"
        if not reading.options.skip_missing:
            raise DataError(f"{what}.", remedy="--images DIR, --skip-missing, or --image-files none")
        reading.problems.add(what, file=source, done="image left out")
        return False
    with disk_errors(there):
        there.parent.mkdir(parents=True, exist_ok=True)
        if place.how == "link":
            _link(here, there)
        else:
            shutil.copyfile(here, there)
    return True


def _link(here: Path, there: Path) -> None:
    try:
        there.hardlink_to(here.resolve())
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        what = f"{here} can't be linked from {there.parent.name}/: {error.strerror}."
        raise UsageError(what, remedy="--image-files copy") from error
