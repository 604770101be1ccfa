"""The tasks of a Label Studio export, full (JSON) or short (JSON-MIN): which image, which annotation, which regions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from coigan_aug.errors import DataError
from coigan_aug.formats.json_files import read_items
from coigan_aug.imaging import SUFFIXES

_KIND = "a list of Label Studio's tasks"
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
_Item = dict[str, Any]


@dataclass(frozen=True)
class Region:
    """What was drawn: a kind ("brush", "polygon", "rectangle", "ellipse", else one without an area), labels and values.

    `about` holds what the result says beside its value, `answers` those to questions about the region.
    """

    text: str
    kind: str
    labels: list[str]
    value: _Item
    about: _Item
    answers: _Item = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A task: its place in words, the names that its image may have, and the regions of the annotation that counts.

    `annotations` says how many count; where none does, the task is not annotated. `about` holds its ids and the answers
    about the image.
    """

    text: str
    names: list[str]
    annotations: int
    regions: list[Region]
    about: _Item


def read_tasks(path: Path) -> Iterator[Task]:
    """Yield the tasks of an export, one at a time.

    Of several annotations of a task the last that was not cancelled is taken, those of the ground truth before others.

    Raises:
        DataError: it is no such file, or a task is malformed; the message names the task.
    """
    for number, item in read_items(path, kind=_KIND):
        text = f"{path.name}: [{number}]"
        if not isinstance(item, dict):
            raise DataError(f"{text} is not a task (an object).")
        text = f"{text} (task {item['id']})" if isinstance(item.get("id"), (int, str)) else text
        yield _full(item, text) if "data" in item else _short(item, text)


def _full(item: _Item, text: str) -> Task:
    data, annotations = item["data"], item.get("annotations", item.get("completions", []))
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise DataError(f"{text} has no data or no list of annotations.")
    if not all(isinstance(annotation, dict) for annotation in annotations):
        raise DataError(f"{text} has an annotation that is not an object.")
    usable = [annotation for annotation in annotations if not annotation.get("was_cancelled")]
    taken = [*usable[-1:], *[annotation for annotation in usable if annotation.get("ground_truth")]]
    results = taken[-1].get("result") if taken else []
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise DataError(f"{text} has an annotation without a list of results.")
    last = taken[-1] if taken else {}
    about = _ids(item.get("id"), last.get("id"), last.get("completed_by"))
    regions = _regions(results, text, about)
    return Task(text, _names(data, text, item.get("file_upload")), len(usable), regions, about)


def _ids(task: Any, annotation: Any, annotator: Any) -> _Item:
    """Return the ids that are such; an annotator's is the e-mail address, if it is said."""
    who = annotator.get("email", annotator.get("id")) if isinstance(annotator, dict) else annotator
    ids = {"id": task, "annotation": annotation, "annotator": who}
    return {key: value for key, value in ids.items() if isinstance(value, (int, str))}


def _short(item: _Item, text: str) -> Task:
    """Read a task of JSON-MIN: the data's keys and, under the name of each tool, the values of its regions."""
    results = []
    for key, values in item.items():
        drawn = isinstance(values, list) and values and all(isinstance(value, dict) for value in values)
        for value in values if drawn else []:
            size = {name: value[name] for name in ("original_width", "original_height") if name in value}
            results.append({"value": value, "from_name": key} | size)
    about = _ids(item.get("id"), item.get("annotation_id"), item.get("annotator"))
    return Task(text, _names(item, text, None), 1, _regions(results, text, about), about)


# Regions


def _regions(results: list[_Item], text: str, about: _Item) -> list[Region]:
    """Put the results of one region together: its shape, its labels and the answers; those about the image go to `about`.

    Raises:
        DataError: a result is malformed.
    """
    regions: dict[str, Region] = {}
    answers: dict[str, _Item] = {}
    for k, result in enumerate(results):
        value = result.get("value")
        if not isinstance(value, dict):
            continue  # a relation between regions
        key = str(result["id"]) if isinstance(result.get("id"), (int, str)) else f"#{k}"
        here = f"{text}, region {key}"
        kind, labels = _kind(value), _labels(value, here)
        if kind:
            before = regions.get(key)
            labels = labels or (before.labels if before else [])
            regions[key] = Region(here, kind, labels, value, result, answers.setdefault(key, {}))
        elif isinstance(result.get("from_name"), str):
            answers.setdefault(key, {})[result["from_name"]] = value.get(str(result.get("type")), value)
    for key, answer in answers.items():
        if key not in regions:
            about.update(answer)
    return list(regions.values())


def _kind(value: Mapping[str, Any]) -> str:
    """Return what a value draws; "" where it draws nothing."""
    for key, kind in (("rle", "brush"), ("points", "polygon"), ("radiusX", "ellipse"), ("height", "rectangle")):
        if key in value:
            return kind
    return next((key for key in ("vertices", "x") if key in value), "")


def _labels(value: Mapping[str, Any], text: str) -> list[str]:
    for key, labels in value.items():
        if key == "labels" or key.endswith("labels"):
            if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
                raise DataError(f"{text} has {key} that are not a list of names.")
            return list(labels)
    return []


# Images


def _names(data: Mapping[str, Any], text: str, upload: Any) -> list[str]:
    """Return the names that a task's image may have, the likelier first.

    Raises:
        DataError: the task names no image, or holds its pixels instead.
    """
    references = [
        value for key, value in data.items() if isinstance(value, str) and (key == "image" or _is_image(value))
    ]
    if not references:
        keys = ", ".join(list(data)[:6])
        raise DataError(f"{text} names no image; its data has the keys: {keys or 'none'}.")
    reference = data["image"] if data.get("image") in references else references[0]
    if reference.startswith("data:"):
        raise DataError(f"{text} holds its image's pixels instead of a name.", remedy="Export with file names or URLs.")
    names = [_name(reference, text), *([upload] if isinstance(upload, str) and upload else [])]
    plain = [_UPLOAD.sub("", name.rpartition("/")[2], count=1) for name in names]
    uploaded = "/data/upload/" in f"/{reference}"
    return list(dict.fromkeys([*names, *plain] if uploaded or len(names) > 1 else names))


def _is_image(reference: str) -> bool:
    return reference.partition("?")[0].lower().endswith(SUFFIXES) or reference.lower().endswith(SUFFIXES)


def _name(reference: str, text: str) -> str:
    """Return the file that a reference means: a URL's path, the `d` of a local file's, anything else as it is."""
    if "://" not in reference and not reference.startswith("/data/"):
        return reference.lstrip("/") or reference
    try:
        parts = urlsplit(reference)
        local = parse_qs(parts.query).get("d", []) if parts.path.rstrip("/").endswith("/data/local-files") else []
    except ValueError as error:
        raise DataError(f"{text} names its image by {reference[:80]!r}, which is no URL.") from error
    return local[0] if local else unquote(parts.path).lstrip("/") or reference
