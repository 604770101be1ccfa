"""From a workspace's folders to the written report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coigan_aug.files import write_bytes
from coigan_aug.report.contents import compose
from coigan_aug.report.gather import gather
from coigan_aug.report.html import empty_sections, render


@dataclass(frozen=True)
class Written:
    """Where a report lies, its size, and the names of the sections that have nothing to show yet."""

    path: Path
    bytes: int
    empty: tuple[str, ...]


def write_report(path: Path, *, dataset: Path, runs: Path, synthetic: Path, results: Path, command: str) -> Written:
    """Write what the folders of a workspace hold as one HTML file; any of them may be missing.

    Raises:
        DataError: a file in them is damaged.
    """
    material = gather(dataset=dataset, runs=runs, synthetic=synthetic, results=results)
    contents = compose(material, command=command)
    page = render(contents, made=datetime.now()).encode()
    write_bytes(path, page)
    return Written(path, len(page), tuple(empty_sections(contents)))
