"""coigan-aug convert."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from coigan_aug.cli.workspace import AS_JSON, QUIET
from coigan_aug.formats.names import NAMES


def convert_command(
    source: Path = typer.Argument(..., metavar="SRC", help="Annotation file, folder of masks, Dataset, or workspace."),
    out: Path = typer.Argument(..., metavar="DST", help="New folder for annotations and images."),
    to: str = typer.Option(..., "--to", metavar="FORMAT", help=f"Format to write: {', '.join(NAMES)}."),
    format: Optional[str] = typer.Option(
        None, "--from", metavar="FORMAT", help="Format of SRC, one of the same. Default: looked up."
    ),
    images: Optional[Path] = typer.Option(None, help="Folder of the images. Default: found beside SRC."),
    image_files: Optional[str] = typer.Option(
        None,
        help="copy, link (hard links) or none: annotations alone. Default: copy; with --size none.",
    ),
    classes: Optional[str] = typer.Option(
        None, help="Class names: a,b,c or a=1,b=2 or a=#ff0000. Default: those of SRC."
    ),
    size: Optional[str] = typer.Option(
        None,
        metavar="HxW",
        help="Height x width in pixels of all images, where neither they nor their sizes are at hand: 256x1600.",
    ),
    polygons: Optional[str] = typer.Option(
        None,
        metavar="READER",
        help="COCO: outlines that this reader fills to the same mask: pycocotools or cv2. Default: run lengths.",
    ),
    crowd: bool = typer.Option(False, "--crowd", help="COCO: iscrowd 1, which most trainers leave out. Default: 0."),
    binary: bool = typer.Option(False, "--binary", help="line-json: packed binary JSON. Default: text."),
    clip_rle: bool = typer.Option(False, "--clip-rle", help="Cut runs that leave the image. Default: an error."),
    skip_missing: bool = typer.Option(False, "--skip-missing", help="Leave out missing images. Default: an error."),
    skip_broken: bool = typer.Option(False, "--skip-broken", help="Leave out broken images. Default: an error."),
    strict: bool = typer.Option(
        False,
        "--strict",
        help="Make the first problem and the first loss an error; ids that TO has no place for are none. Default: counted.",
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace a DST that convert made and nobody added to. Default: refuse."
    ),
    as_json: bool = AS_JSON,
    quiet: bool = QUIET,
) -> None:
    """Write annotations in another format, and say what it could not hold.

    DST appears when it is whole. What each format holds: examples/formats.md.

    Example: coigan-aug convert severstal.csv coco/ --to coco
    """
    from coigan_aug.cli.convert_body import convert_here
    from coigan_aug.formats.converting import WriteOptions
    from coigan_aug.formats.source import ReadOptions, parse_classes, parse_size

    options = ReadOptions(
        images=images,
        classes=parse_classes(classes) if classes else (),
        size=parse_size(size) if size else None,
        clip_rle=clip_rle,
        skip_missing=skip_missing,
        skip_broken=skip_broken,
    )
    style = WriteOptions(polygons=polygons, crowd=crowd, binary=binary)
    convert_here(
        source, out, to=to, format=format, options=options, style=style, image_files=image_files, strict=strict,
        overwrite=overwrite, as_json=as_json, quiet=quiet,
    )  # fmt: skip
