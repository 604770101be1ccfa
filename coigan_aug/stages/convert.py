"""The stage convert: annotations of one format, or a Dataset, to another format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from coigan_aug.folders import Folders
from coigan_aug.formats.converting import Conversion, WriteOptions
from coigan_aug.formats.converting import convert as convert_files
from coigan_aug.formats.source import parse_size
from coigan_aug.progress import SILENT, Talk
from coigan_aug.stages.asks import ConvertAsk
from coigan_aug.stages.reading import read_options
from coigan_aug.store.accepting import accept


def convert(ask: ConvertAsk, *, talk: Talk = SILENT) -> Conversion:
    """Write the annotations of `ask.source` to a new folder `ask.out` in the format `ask.to`, with its images.

    Raises:
        UsageError: an option is out of range; the folder holds other files.
        DataError: the source can't be read, holds no image, or has a problem that no option allows.
    """
    accept(Path(ask.source), Folders(Path(ask.source)), talk, asked=ask.accept_changes)
    options = replace(
        read_options(ask),
        size=parse_size(ask.size) if ask.size else None,
        clip_rle=ask.clip_rle,
        skip_missing=ask.skip_missing,
        skip_broken=ask.skip_broken,
    )
    with talk.steps() as begin:
        return convert_files(
            Path(ask.source), Path(ask.out), to=ask.to, format=ask.format, options=options,
            style=WriteOptions(polygons=ask.polygons, crowd=ask.crowd, binary=ask.binary),
            image_files=ask.image_files or ("none" if options.size else "copy"), strict=ask.strict,
            overwrite=ask.overwrite, progress=begin, say=lambda text: talk.say(f"Format: {text}"),
        )  # fmt: skip
