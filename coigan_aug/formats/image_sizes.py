"""The sizes of a source's images: measured by their headers, and held against what the annotations say."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from coigan_aug.annotations.records import ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.formats.image_folder import ImageFolder
from coigan_aug.formats.reading import Reading

_FIRST_THAT_SWAPS = 5
_TURNED = "images are turned for viewing by their EXIF orientation"


def measure(
    reading: Reading,
    folder: ImageFolder,
    path: str,
    *,
    at: str = "",
    sized: bool = False,
    turned_by: str = "",
    turned_back: bool = False,
    mask: bool = False,
) -> tuple[int, int] | None:
    """Return an image's height and width; None for a broken one, which is noted: an error at the end if not to be skipped.

    An image that EXIF turns for viewing is noted where its masks could be meant either way: by a size alone, one that is
    turned by 180 degrees or mirrored can't be told from one that is not.

    Args:
        at: where the image is named, for the note.
        sized: the source says the size itself, and it will be compared (`check_size`).
        turned_by: the tool that made the masks, if it shows images as EXIF turns them.
        turned_back: its masks are of the image as it is shown, and the reader turns them back.
        mask: it is a mask, which can't be scaled to 8 bits.

    Raises:
        DataError: `turned_by` has seen it otherwise than it is stored, which its size doesn't tell.
    """
    try:
        header = folder.header(path, deep=reading.options.value_range is not None and not mask, mask=mask)
    except DataError as error:
        if not reading.options.skip_broken:
            reading.problems.broken.append(error)
            return None
        reading.problems.add(error.message.rstrip("."), file=at or path, done="image left out", error=True)
        return None
    if turned_back and header.orientation > 1:
        reading.problems.count(_TURNED, file=path, done="masks turned back to the stored pixels")
        return header.height, header.width
    swaps = header.orientation >= _FIRST_THAT_SWAPS and header.height != header.width
    if header.orientation > 1 and not (sized and swaps):
        _refuse_turned(path, header.orientation, tool=turned_by)
        reading.problems.count(_TURNED, file=path, done="masks taken as of the stored pixels")
    return header.height, header.width


def _refuse_turned(image: str, orientation: int, *, tool: str) -> None:
    if tool:
        shown = f"{tool} shows it turned (EXIF orientation {orientation})"
        what = f"{image}: {shown}, so masks that were drawn there don't fit its pixels as they are stored."
        drop = f"exiftool -n -Orientation=1 {image.rpartition('/')[2]!r}"
        raise DataError(what, remedy=f"{_turn(image)}  Or, if the masks do fit, drop the mark:  {drop}")


def check_size(size: tuple[int, int], stated: tuple[object, object], *, image: str, file: str) -> None:
    """Refuse an image whose size (height, width) is not what the annotations say.

    Raises:
        DataError: it is another; the message asks whether the image was turned, where the two are swapped.
    """
    if stated != size:
        turned, remedy = about_turning(size, stated, image=image)
        what = f"{image} is {size[0]} x {size[1]} pixels (height x width), {file} says {stated[0]} x {stated[1]}."
        raise DataError(what + turned, remedy=remedy)


def about_turning(size: tuple[int, int], other: object, *, image: str) -> tuple[str, str]:
    """Say what may be behind a wrong size (height, width), and what to do: where the two are swapped, turn the pixels."""
    if not isinstance(other, (tuple, list)) or tuple(other) != size[::-1]:
        return "", "Use the images that were annotated."
    question = " Was it turned (EXIF) or annotated in another orientation?"
    turn = _turn(image)
    return question, f"Use the images that were annotated, or {turn[0].lower()}{turn[1:]}"


def _turn(image: str) -> str:
    name = image.rpartition("/")[2]
    turn = f"ImageOps.exif_transpose(Image.open({name!r})).save({name!r}, quality=95)"
    return f'Turn the pixels as EXIF says, in their folder:  python -c "from PIL import Image, ImageOps; {turn}"'


def same_size(files: Sequence[str], sizes: Sequence[tuple[int, int]], *, remedy: str = "") -> tuple[int, int]:
    """Return the size (height, width) of an image, the first file, and its masks, which must be the same.

    Args:
        remedy: what mends it; "": what does usually.

    Raises:
        DataError: it is not.
    """
    for mask, size in zip(files[1:], sizes[1:], strict=True):
        if size != sizes[0]:
            mask_size, image_size = (f"{height} x {width}" for height, width in (size, sizes[0]))
            turned, usual = about_turning(sizes[0], size, image=files[0])
            what = f"the mask {mask} is {mask_size} pixels, its image {files[0]} is {image_size} (height x width)."
            raise DataError(what + turned, remedy=remedy or usual)
    return sizes[0]


def images_without(reading: Reading, folder: ImageFolder, named: Collection[str], *, lack: str) -> list[str]:
    """Return the images that lie in one folder with a named one and are not named themselves, and note them.

    Args:
        lack: what they have not, for the note: "JSON file".
    """
    places = {path.rpartition("/")[0] for path in named}
    unnamed = [path for path in folder.images() if path not in named and path.rpartition("/")[0] in places]
    if unnamed:
        what = f"{len(unnamed):,} images have no {lack} (first: {unnamed[0]})"
        reading.problems.add(what, file=f"{reading.name}/", done="taken as defect-free")
    return unnamed


def clean_records(reading: Reading, folder: ImageFolder, images: Sequence[str]) -> Iterator[ImageRecord]:
    """Yield the records of images without a mask."""
    for image in images:
        size = measure(reading, folder, image)
        if size is not None:
            yield ImageRecord(file=image, height=size[0], width=size[1])
