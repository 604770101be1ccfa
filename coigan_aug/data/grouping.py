"""How images come to their groups: by their looks, by a column of the source, by their names, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.data.groups import find_groups, groups_from_pattern, join_versions
from coigan_aug.errors import UsageError
from coigan_aug.formats.source import Problems
from coigan_aug.progress import Report

NEAR_DUPLICATES = "near-duplicates"


def group_images(
    image_root: Path,
    records: Sequence[ImageRecord],
    *,
    group_by: str | None,
    problems: Problems,
    progress: Callable[[str], Report],
    root: Path | None = None,
) -> list[str]:
    """Return one group label for each image.

    Args:
        group_by: None looks for near-duplicates; "none" leaves each image alone; the name of what the source says of
            its images (a CSV column, a key of COCO's images) takes its value; anything else is a pattern over names.
        problems: where images that the column says nothing of are noted.
        root: the cache in which near-duplicates that were found are kept; None keeps nothing.

    Raises:
        UsageError: `group_by` is neither a column nor a pattern that matches a name.
        DataError: an image can't be decoded.
    """
    names = [record.file for record in records]
    if group_by is None:
        paths = [image_root / name for name in names]
        return join_versions(names, find_groups(paths, names, root=root, progress=progress))
    if group_by == "none":
        return names
    if any(group_by in record.source for record in records):
        return _by_column(records, group_by, problems)
    try:
        return groups_from_pattern(names, group_by)
    except UsageError as error:
        raise UsageError(f"{error.message} {_columns(records)}", remedy=error.remedy) from error


def _by_column(records: Sequence[ImageRecord], column: str, problems: Problems) -> list[str]:
    labels = [str(record.source.get(column, "")) for record in records]
    without = [record.file for record, label in zip(records, labels, strict=True) if not label]
    if without:
        done = "each is a group of its own"
        problems.add(
            f"{len(without):,} images have no {column} (first: {without[0]})", file=f"--group-by {column}", done=done
        )
    return [label or record.file for record, label in zip(records, labels, strict=True)]


def _columns(records: Sequence[ImageRecord]) -> str:
    known = sorted({key for record in records for key in record.source})
    return f"The source says of its images: {', '.join(known)}." if known else "The source has no columns to group by."
