"""What the pages call things: engines, erasing, settings; and sentences about a set that hold for its state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from coigan_aug.report.gather import KnownRun, run_of
from coigan_aug.store.card import Card, Screening
from coigan_aug.store.dataset import Dataset

ENGINES = {
    "gan": "drawn by the trained model",
    "transplant": "real defects moved to other images",
    "paste": "real defects copied",
    "poisson": "real defects blended in",
    "patch": "put together from patches of real defects",
}
BASES = {
    "clean": "surface without defects",
    "erased": "training images whose defects are erased",
    "both": "surface without defects, and training images whose defects are erased",
}
ERASED_BY = {"telea": "filled in from the surface around them", "learned": "painted over by a small network"}
_LOOKED_AT = {
    "least_shown": "whether it can be seen",
    "most_seam": "whether an edge shows round it",
    "most_spilled": "whether a segmenter of the real images sees a defect beside its mask",
    "least_found": "whether that segmenter sees it at all",
    "least_distance": "whether it copies a training object",
}
_KEYS = {
    "least_shown": "least share of a mask that must change",
    "most_seam": "how steep an edge round a defect may be",
    "most_spilled": "how much a segmenter may see beside a mask",
    "least_found": "how much of a defect a segmenter must see",
    "least_distance": "how near to a training object it may be",
    "attempts": "tries at an image",
    "on": "screened",
    "telea": "filled in from around",
    "sha256": "checksum",
}


def engine_words(name: str) -> str:
    """Return what an engine does, with the name that `--engine` takes.

    >>> engine_words("paste")
    'real defects copied (paste)'
    """
    return f"{ENGINES[name]} ({name})" if name in ENGINES else name


def as_sentence(text: str) -> str:
    """Return a text as a sentence; nothing of nothing.

    >>> as_sentence("drawn by run 001-tiny")
    'Drawn by run 001-tiny.'
    """
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def key_words(name: str) -> str:
    """Return what a page calls a key of a settings file or of a result.

    >>> key_words("margin_px"), key_words("limits, least_shown")
    ('margin, px', 'limits, least share of a mask that must change')
    """
    parts = (_KEYS.get(part, part) for part in name.split(", "))
    return ", ".join(part.removesuffix("_px") + ", px" if part.endswith("_px") else part for part in parts).replace(
        "_", " "
    )


def several(count: int, word: str) -> str:
    """Write a count with its word.

    >>> several(1, "class"), several(1200, "image")
    ('1 class', '1,200 images')
    """
    return f"{count:,} {word}" + ("es" if word.endswith("s") else "s") * (count != 1)


def made_of(drawn: Dataset, card: Card) -> str:
    """Say what a set holds, and where that is less than was asked for, that."""
    counts = Counter(annotation.label for record in drawn for annotation in record.annotations)
    got, missing = counts.total(), missing_of(card)
    said = f"{several(len(drawn), 'image')} with {several(got, 'defect')} of {several(len(counts), 'class')}"
    lost = sum(missing.values())
    return f"{said}: asked for {got + lost:,}, got {got:,}." if lost else f"{said}."


def missing_of(card: Card) -> Mapping[str, int]:
    """Return how many defects of each class were asked for and given up."""
    return (card.screening and card.screening.missing) or {}


def drawn_by(drawn: Dataset, card: Card, runs: Sequence[KnownRun]) -> str:
    """Say what made the defects of a set: the run that drew them, as it is now, and what copied."""
    engines = Counter(
        str(a.attributes.get("engine", card.engine)) for record in drawn for a in record.annotations
    )  # fmt: skip
    run, said = run_of(drawn, card), []
    if run is not None:
        known = next(
            (item.words for item in runs if item.name == run), f"run {run}, which is not in this workspace now"
        )
        said.append(f"drawn by {known}")
    said += [ENGINES.get(name, name) for name in engines if name not in ("?", *(["gan"] if run else []))]
    return " and ".join(said)


def screened(screening: Screening | None, *, rejected: int) -> bool | None:
    """Tell whether a set was screened; None where it does not say so, as those of early versions."""
    if screening is None:
        return True if rejected else None
    return screening.on is not False


def screened_words(screening: Screening | None, *, rejected: int, kept: int) -> str:
    """Say in a sentence what the screen did."""
    state = screened(screening, rejected=rejected)
    if state is None:
        return "The set does not say whether it was screened."
    if not state:
        return "Not screened: whatever was drawn is in it."
    if rejected:
        return f"Screened: {rejected:,} of {several(rejected + kept, 'defect')} that had been drawn were rejected."
    return "Screened: every defect that was drawn passed."


def looked_at(screening: Screening | None) -> tuple[str, ...]:
    """Return what the screen looked at in each defect, by the limits that it noted."""
    limits = (screening and screening.limits) or {}
    return tuple(words for name, words in _LOOKED_AT.items() if name in limits)
