"""The labels of a source, and the classes that they stand for: by --classes, with their colours and ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from coigan_aug.annotations.records import DefectClass, colour_of
from coigan_aug.errors import DataError
from coigan_aug.formats.source import ClassChoice, whole_number


def chosen_labels(labels: Iterable[str], choices: Sequence[ClassChoice]) -> dict[str, str]:
    """Return label -> class name, for the labels that --classes chooses (all under their own names where there is none).

    The labels are `name=label`, or the names themselves; one name alone names the only label.

    >>> chosen_labels(["Pit", "Line"], [ClassChoice("scratch", "line")])
    {'Line': 'scratch'}
    """
    every = list(dict.fromkeys(labels))
    if not choices:
        return {label: label for label in every}
    if len(every) == len(choices) == 1 and not choices[0].value:
        return {every[0]: choices[0].name}
    names: dict[str, str] = {}
    for choice in choices:
        fitting = [
            label for label in every if (label.lower() == choice.value if choice.value else label == choice.name)
        ]
        names |= dict.fromkeys(fitting or [choice.value or choice.name], choice.name)
    return names


def classes_of(
    names: Mapping[str, str], *, colours: Mapping[str, object], source_ids: Mapping[str, int] | None = None
) -> tuple[DefectClass, ...]:
    """Give the classes of label -> class name (`chosen_labels`) what a source says of their labels.

    Args:
        colours: label -> colour, #rrggbb; where there is none, or another value, it is the palette's by position.
        source_ids: label -> id.
    """
    labels = {name: label for label, name in reversed(list(names.items()))}
    classes = []
    for k, name in enumerate(dict.fromkeys(names.values())):
        colour = colour_from(colours.get(labels[name])) or colour_of(k)
        classes.append(DefectClass(name=name, colour=colour, source_id=(source_ids or {}).get(labels[name])))
    return tuple(classes)


def class_of(label: str, names: Mapping[str, str], at: str) -> str:
    """Return the class of a label.

    Raises:
        DataError: --classes does not choose it.
    """
    if label in names:
        return names[label]
    given = ",".join(dict.fromkeys(names.values()))
    what = f"{at}  the label {label} is not among the classes {given} given with --classes."
    raise DataError(
        what, remedy=f"Say which label each stands for, such as --classes {given.partition(',')[0]}={label}"
    )


def colour_from(text: object) -> tuple[int, int, int] | None:
    """Read a colour as tools write it, #rrggbb; None for anything else."""
    match = re.fullmatch(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", text) if isinstance(text, str) else None
    return (int(match[1], 16), int(match[2], 16), int(match[3], 16)) if match else None


def colour_text(colour: tuple[int, int, int]) -> str:
    """Write a colour as tools do.

    >>> colour_text((255, 128, 0))
    '#ff8000'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def label_order(label: str) -> tuple[bool, int, str]:
    """Return by what labels are put in order: whole numbers by their size, other text behind them."""
    number = whole_number(label)
    return number is None, number or 0, label


def label_id(label: str) -> int | str:
    """Return a label as the id of its class in the source: a whole number as such."""
    number = whole_number(label)
    return label if number is None else number
