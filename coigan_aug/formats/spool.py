"""Records that wait on disk, given back in the order of their names."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.errors import DataError, ResourceError
from coigan_aug.store.dataset import record_from, record_to

_LARGEST = (1 << 63) - 1
_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE records (name TEXT, file TEXT UNIQUE, image_id INTEGER, record TEXT);
CREATE TABLE masks (id INTEGER PRIMARY KEY);
BEGIN;
"""


class Spool:
    """Takes records in any order and gives them back sorted by name; memory does not grow with their number.

    Use it as a context manager; its file is temporary. `count` and `masks` say how many there are, `with_id` how many
    images have an id in their source, `first_with_id` the first of them by name.

    Args:
        path: a file that does not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.masks = 0
        self.with_id = 0
        self.first_with_id = ""
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(_TABLES)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._db.close()
        self.path.unlink(missing_ok=True)

    def add(self, record: ImageRecord, *, name: str) -> None:
        """Add a record under a name.

        Raises:
            DataError: there is a record of that file already, or a name can't be written as UTF-8.
            ResourceError: the disk is full.
        """
        row = (name, record.file, _whole(record.source.get("id")), json.dumps(record_to(record)))
        try:
            self._db.execute("INSERT INTO records VALUES (?, ?, ?, ?)", row)
            ids = [_whole(annotation.attributes.get("id")) for annotation in record.annotations]
            self._db.executemany("INSERT OR IGNORE INTO masks VALUES (?)", [(number,) for number in ids if number])
        except sqlite3.IntegrityError as error:
            what = f"the image {record.file} is in the source twice."
            raise DataError(what, remedy="Leave one of them out.") from error
        except UnicodeEncodeError as error:
            raise DataError(f"the file name {name!r} is not UTF-8 text.", remedy="Rename the file.") from error
        except sqlite3.OperationalError as error:
            raise ResourceError(f"Can't write {self.path}: {error}.", remedy="Free some disk space.") from error
        self.count += 1
        self.masks += len(record.annotations)
        if "id" in record.source:
            self.with_id += 1
            self.first_with_id = min(self.first_with_id or name, name)

    def settle(self) -> None:
        """Call all records by their files where two have one name; to be called once, when all are there."""
        if self._one("SELECT count(DISTINCT name) FROM records") != self.count:
            self._db.execute("UPDATE records SET name = file")
        self._db.execute("CREATE UNIQUE INDEX by_name ON records (name)")

    def __iter__(self) -> Iterator[tuple[str, ImageRecord]]:
        """Yield names and records; the masks of an image in the order of their ids, where all have one."""
        for name, text in self._db.execute("SELECT name, record FROM records ORDER BY name"):
            record = record_from(json.loads(text), sound=True)
            yield name, replace(record, annotations=_in_order(record.annotations))

    def have_image_ids(self) -> bool:
        """Tell whether each image has an id in its source, a whole number from 0 that no other has."""
        return bool(self._one("SELECT count(DISTINCT image_id) FROM records") == self.count)

    def have_mask_ids(self) -> bool:
        """Tell whether each mask has an id in its source, a whole number from 1 that no other has."""
        return bool(self._one("SELECT count(*) FROM masks") == self.masks)

    def all_below(self, folder: str) -> bool:
        """Tell whether all names begin with a folder."""
        begin = f"{folder}/"
        return not self._one("SELECT count(*) FROM records WHERE substr(name, 1, ?) <> ?", len(begin), begin)

    def _one(self, query: str, *values: object) -> object:
        return self._db.execute(query, values).fetchone()[0]


def _whole(value: object) -> int | None:
    return value if type(value) is int and 0 <= value <= _LARGEST else None


def _in_order(annotations: tuple[Annotation, ...]) -> tuple[Annotation, ...]:
    ids = [_whole(annotation.attributes.get("id")) for annotation in annotations]
    order = sorted(range(len(ids)), key=lambda k: ids[k] or 0) if None not in ids else range(len(ids))
    return tuple(annotations[k] for k in order)
