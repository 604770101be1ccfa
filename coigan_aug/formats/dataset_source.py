"""A Dataset as a source, beside the foreign formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from coigan_aug.annotations.records import DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.reading import Reading
from coigan_aug.formats.source import ClassChoice, ReadOptions, Source
from coigan_aug.store.dataset import MANIFEST, Dataset, accepting


def find_dataset(path: Path) -> Path | None:
    """Return the Dataset's folder that a path means, itself or that of a workspace; None where it means none.

    nnU-Net has a file of the manifest's name beside its imagesTr/.
    """
    folders = (folder for folder in (path, path / "dataset") if (folder / MANIFEST).is_file())
    return next((folder for folder in folders if not (folder / "imagesTr").is_dir()), None)


def read_dataset(reading: Reading) -> Source:
    """Open a Dataset by its folder; its images are not looked at. --classes renames: `new=old`, or `new=id`, each class once.

    Images of unknown state stay so, unless the options take them as they are.

    Raises:
        DataError: it is damaged, or a class is not among those of --classes.
    """
    dataset, options = Dataset(reading.path), reading.options
    names = _names(dataset, options.classes)
    classes = {known.name: known for known in dataset.classes}
    return Source(
        format="dataset",
        description=f"Dataset ({len(dataset):,} images, {len(names)} classes)",
        classes=tuple(replace(classes[old], name=new) for old, new in names.items()),
        image_root=options.images or dataset.image_root,
        count=len(dataset),
        records=_records(dataset, names, options),
    )


def _names(dataset: Dataset, choices: Sequence[ClassChoice]) -> dict[str, str]:
    """Return old name -> new name of the classes, in the order of --classes."""
    if not choices:
        return {name: name for name in dataset.names}
    names = {}
    for choice in choices:
        old = _meant(choice.value or choice.name, dataset.classes)
        if old is None:
            have = ", ".join(dataset.names)
            raise DataError(f"{dataset.folder} has no class {choice.value or choice.name}; it has {have or 'none'}.")
        names[old] = choice.name
    return names


def _meant(text: str, classes: tuple[DefectClass, ...]) -> str | None:
    """Return the class that is named so, else the one whose id in the source it is; --classes has values in lower case."""
    named = [c.name for c in classes if c.name == text] or [c.name for c in classes if c.name.lower() == text]
    numbered = [c.name for c in classes if str(c.source_id).lower() == text]
    return next(iter(named or numbered), None)


def _records(dataset: Dataset, names: Mapping[str, str], options: ReadOptions) -> Iterator[ImageRecord]:
    for position, record in enumerate(dataset):
        if options.images is None and (change := dataset.change_of(position, content=False)):
            what = f"{dataset.image_path(position)} is not the image that was imported: {change}."
            raise DataError(what, remedy=accepting(dataset.folder))
        other = next((a.label for a in record.annotations if a.label not in names), None)
        if other is not None:
            given = ",".join(choice.name for choice in options.classes)
            what = f"{record.file} has class {other}, which is not among the classes {given} given with --classes."
            raise DataError(what, remedy=f"Name it too: --classes {given},{other}")
        annotations = tuple(replace(a, label=names[a.label]) for a in record.annotations)
        yield replace(record, annotations=annotations, unknown=record.unknown and not options.unknown_as_clean)
