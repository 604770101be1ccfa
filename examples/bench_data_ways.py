"""What `bench_data.py` measures: each way is a function that loads what it needs and returns the work to be timed.

`python examples/bench_data_ways.py WAY FOLDER` does one of them and prints the CPU seconds of its work. Nothing heavy is
imported before it is needed, so that each way's process holds no more than it uses.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HEIGHT, WIDTH = 256, 1600
CLASSES = ("1", "2", "3", "4")
IMAGES, CSV, COCO, STORE, LINES, COUNTS, DATUMARO = (
    "train_images", "train.csv", "polygons.json", "store", "line-json", "counts.json", "for-datumaro",
)  # fmt: skip
READS = 5_000
Work = Callable[[], object]


# This package


def own_csv_to_coco(folder: Path) -> Work:
    """Every row checked, then written as compressed run lengths."""
    from coigan_aug.formats.coco import coco

    return _conversion(folder, coco.write)


def own_csv_to_line_json(folder: Path) -> Work:
    """Every row checked, then traced: polygons that fill to the same mask, holes too."""
    from coigan_aug.formats.tables import line_json

    return _conversion(folder, line_json.write)


def own_csv_to_coco_with_images(folder: Path) -> Work:
    """The same, with the header of every image read."""
    from coigan_aug.formats.coco import coco

    return _conversion(folder, coco.write, measured=True)


def own_convert(folder: Path) -> Work:
    """`coigan-aug convert train.csv out --to coco --size 256x1600 --image-files none`: images in order, losses counted."""
    from coigan_aug.formats.converting import convert
    from coigan_aug.formats.source import ReadOptions

    options = ReadOptions(size=(HEIGHT, WIDTH))
    out = folder / "out-convert"
    return lambda: convert(folder / CSV, out, to="coco", options=options, image_files="none", overwrite=True)


def own_csv_to_csv(folder: Path) -> Work:
    """Every row checked, then written again."""
    from coigan_aug.formats.tables import rle_csv

    return _conversion(folder, rle_csv.write)


def _conversion(folder: Path, write: Callable[..., Path], *, measured: bool = False) -> Work:
    from coigan_aug.formats.reading import Reading
    from coigan_aug.formats.source import Problems, ReadOptions
    from coigan_aug.formats.tables import rle_csv

    options = ReadOptions(images=folder / IMAGES) if measured else ReadOptions(size=(HEIGHT, WIDTH))

    def work() -> None:
        source = rle_csv.read(Reading(folder / CSV, options=options, problems=Problems(strict=True)))
        write(folder / "out", source.records, classes=source.classes)

    return work


def own_open(folder: Path) -> Work:
    """Ids, names, boxes, and how many there are of each class; the polygons stay text on disk."""
    from collections import Counter

    from coigan_aug.formats.coco.file import CocoFile

    return lambda: Counter(entry.category_id for entry in CocoFile(folder / COCO).entries)


def own_validate(folder: Path) -> Work:
    """Every polygon parsed, checked against its image, and filled."""
    opened = _opening(folder)
    return lambda: sum(len(record.annotations) for record in opened().records)


def own_validate_ids(folder: Path) -> Work:
    """Ids, names and sizes alone, which is what hotcoco checks; the polygons stay text on disk."""
    opened = _opening(folder)
    return lambda: opened().count


def own_coco_to_coco(folder: Path) -> Work:
    """Every polygon parsed, checked, filled and written as compressed run lengths."""
    from coigan_aug.formats.coco import coco

    opened = _opening(folder)

    def work() -> None:
        source = opened()
        coco.write(folder / "out", source.records, classes=source.classes)

    return work


def _opening(folder: Path) -> Callable[[], Any]:
    from coigan_aug.formats.coco import coco
    from coigan_aug.formats.reading import Reading
    from coigan_aug.formats.source import ReadOptions

    options = ReadOptions(images_needed=False)
    return lambda: coco.read(Reading(folder / COCO, options=options))


def own_decode(folder: Path) -> Work:
    """Every mask as an array of its image's size."""
    from coigan_aug.annotations import rle
    from coigan_aug.annotations.batches import decode_many

    masks = [rle.Rle(HEIGHT, WIDTH, counts) for counts in _counts(folder)]
    return lambda: sum(int(mask[0, 0]) for mask in decode_many(masks))


def own_read(folder: Path) -> Work:
    """Records of a text data set, in random order."""
    return _own_reads(folder / STORE)


def own_read_binary(folder: Path) -> Work:
    """Records of a packed binary data set, in random order."""
    return _own_reads(folder / f"{STORE}-binary")


def _own_reads(folder: Path) -> Work:
    from coigan_aug.store.dataset import Dataset

    dataset = Dataset(folder)
    order = _order(len(dataset))
    return lambda: sum(len(dataset[position].annotations) for position in order)


# The thesis' way, and the obvious one


def _decoded(folder: Path) -> Iterator[tuple[str, str, Any]]:
    """Decode every row run by run into a mask, as the thesis' figure 4.3 shows it."""
    import numpy as np

    csv.field_size_limit(1 << 30)
    with (folder / CSV).open(newline="") as stream:
        for row in csv.DictReader(stream):
            numbers = [int(number) for number in row["EncodedPixels"].split()]
            mask = np.zeros(HEIGHT * WIDTH, np.uint8)
            for start, length in zip(numbers[0::2], numbers[1::2], strict=True):
                mask[start - 1 : start - 1 + length] = 1
            yield row["ImageId"], row["ClassId"], mask.reshape(WIDTH, HEIGHT).T


def thesis_csv_to_coco(folder: Path) -> Work:
    """The thesis' loop, pycocotools' encoding, one JSON file; nothing is checked."""
    import numpy as np
    from pycocotools import mask as masks

    def work() -> None:
        images: dict[str, int] = {}
        annotations = []
        for name, label, mask in _decoded(folder):
            found = masks.encode(np.asfortranarray(mask))
            area, box = float(masks.area(found)), masks.toBbox(found).tolist()
            segmentation = {"size": found["size"], "counts": found["counts"].decode()}
            annotations.append({
                "id": len(annotations) + 1, "image_id": images.setdefault(name, len(images) + 1), "area": area,
                "category_id": int(label), "segmentation": segmentation, "bbox": box, "iscrowd": 0,
            })  # fmt: skip
        named = [{"id": k, "file_name": name, "height": HEIGHT, "width": WIDTH} for name, k in images.items()]
        _dump(folder, {"images": named, "annotations": annotations})

    return work


def naive_csv_to_line_json(folder: Path) -> Work:
    """The thesis' loop, outlines of the whole image, lists, JSON; holes are lost, nothing is checked."""
    import cv2
    import numpy as np

    def work() -> None:
        found: dict[str, list[dict[str, Any]]] = {}
        for name, label, mask in _decoded(folder):
            contours = cv2.findContours(np.ascontiguousarray(mask), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
            points = [contour[:, 0].tolist() for contour in contours if len(contour) >= 3]
            found.setdefault(name, []).append({"label": str(int(label) - 1), "points": points})
        with (folder / "out.jsonl").open("w") as stream:
            for image in sorted((folder / IMAGES).iterdir()):
                stream.write(json.dumps({"img": image.name, "polygons": found.get(image.name, [])}) + "\n")

    return work


def thesis_decode(folder: Path) -> Work:
    """The thesis' loop on the rows of the CSV, which are text too."""
    return lambda: sum(int(mask[0, 0]) for _, _, mask in _decoded(folder))


def thesis_read(folder: Path) -> Work:
    """Lines of a line-json file (polygons), in random order: seek, read, parse."""
    starts = [int(line) for line in (folder / LINES / "index").read_text().split()]
    order = _order(len(starts))
    stream = (folder / LINES / "dataset.jsonl").open()

    def work() -> int:
        total = 0
        with stream:
            for position in order:
                stream.seek(starts[position])
                total += len(json.loads(stream.readline())["polygons"])
        return total

    return work


def _dump(folder: Path, value: Any) -> None:
    with (folder / "out.json").open("w") as stream:
        json.dump(value, stream)


def _counts(folder: Path) -> list[str]:
    return json.loads((folder / COUNTS).read_text())


def _order(count: int) -> list[int]:
    return [random.Random(k).randrange(count) for k in range(READS)]


# pycocotools and hotcoco


def pycocotools_open(folder: Path) -> Work:
    """COCO(file)."""
    from pycocotools.coco import COCO as Loader

    return lambda: Loader(str(folder / COCO))


def pycocotools_validate(folder: Path) -> Work:
    """COCO(file), and every polygon filled; nothing is checked."""
    from pycocotools.coco import COCO as Loader

    def work() -> None:
        loaded = Loader(str(folder / COCO))
        for item in loaded.dataset["annotations"]:
            loaded.annToRLE(item)

    return work


def pycocotools_decode(folder: Path) -> Work:
    """mask.decode of every mask."""
    from pycocotools import mask as masks

    return _peer_decode(folder, masks)


def hotcoco_decode(folder: Path) -> Work:
    """mask.decode of every mask."""
    from hotcoco import mask as masks

    return _peer_decode(folder, masks)


def _peer_decode(folder: Path, masks: Any) -> Work:
    items = [{"size": [HEIGHT, WIDTH], "counts": counts} for counts in _counts(folder)]
    return lambda: sum(int(masks.decode(item)[0, 0]) for item in items)


def hotcoco_open(folder: Path) -> Work:
    """COCO(file)."""
    from hotcoco import COCO as Loader

    return lambda: Loader(str(folder / COCO))


def hotcoco_command(folder: Path) -> Work:
    """`coco healthcheck FILE`, the same from the command line."""
    import contextlib
    import io
    import sys

    from hotcoco import cli

    def work() -> None:
        sys.argv = ["coco", "healthcheck", str(folder / COCO)]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
            cli.main()

    return work


def hotcoco_validate(folder: Path) -> Work:
    """COCO(file).healthcheck(), which does not fill polygons."""
    from hotcoco import COCO as Loader

    return lambda: Loader(str(folder / COCO)).healthcheck()


# datumaro and supervision


def datumaro_csv_to_coco(folder: Path) -> Work:
    """RleMask annotations, exported as coco_instances."""
    return lambda: _datumaro(folder).export(str(folder / "out-datumaro"), "coco_instances", save_media=False)


def datumaro_csv_to_polygons(folder: Path) -> Work:
    """RleMask annotations, masks_to_polygons, exported as coco_instances."""

    def work() -> None:
        dataset = _datumaro(folder).transform("masks_to_polygons")
        dataset.export(str(folder / "out-datumaro"), "coco_instances", save_media=False)

    return work


def _datumaro(folder: Path) -> Any:
    import numpy as np
    from datumaro.components.annotation import RleMask
    from datumaro.components.dataset import Dataset
    from datumaro.components.dataset_base import DatasetItem
    from datumaro.components.media import Image
    from pycocotools import mask as masks

    found: dict[str, list[Any]] = {image.name: [] for image in sorted((folder / IMAGES).iterdir())}
    csv.field_size_limit(1 << 30)
    with (folder / CSV).open(newline="") as stream:
        for row in csv.DictReader(stream):
            numbers = np.array(row["EncodedPixels"].split(), np.int64)
            edges = np.stack([numbers[0::2] - 1, numbers[0::2] - 1 + numbers[1::2]], axis=1).ravel()
            counts = np.diff(edges, prepend=0, append=HEIGHT * WIDTH).tolist()
            value = masks.frPyObjects({"size": [HEIGHT, WIDTH], "counts": counts}, HEIGHT, WIDTH)
            found[row["ImageId"]].append(RleMask(value, label=CLASSES.index(row["ClassId"])))
    items = [
        DatasetItem(
            id=Path(name).stem, annotations=own, media=Image.from_file(path=name, size=(HEIGHT, WIDTH)),
            attributes={"id": k},
        )
        for k, (name, own) in enumerate(found.items(), start=1)
    ]  # fmt: skip
    return Dataset.from_iterable(items, categories=list(CLASSES), media_type=Image)


def datumaro_open(folder: Path) -> Work:
    """Dataset.import_from(..., "coco_instances")."""
    from datumaro.components.dataset import Dataset

    return lambda: len(Dataset.import_from(str(folder / DATUMARO), "coco_instances"))


def supervision_open(folder: Path) -> Work:
    """DetectionDataset.from_coco with masks."""
    from supervision import DetectionDataset

    images, file = str(folder / IMAGES), str(folder / COCO)
    return lambda: DetectionDataset.from_coco(images, file, force_masks=True)


WAYS: tuple[Callable[[Path], Work], ...] = (
    own_csv_to_coco, own_csv_to_coco_with_images, own_csv_to_line_json, own_convert, own_csv_to_csv, own_open,
    own_validate, own_validate_ids, own_coco_to_coco, own_decode, own_read, own_read_binary, thesis_csv_to_coco,
    naive_csv_to_line_json, thesis_decode, thesis_read, pycocotools_open, pycocotools_validate, pycocotools_decode,
    hotcoco_open, hotcoco_validate, hotcoco_command, hotcoco_decode, datumaro_csv_to_coco, datumaro_csv_to_polygons,
    datumaro_open, supervision_open,
)  # fmt: skip


def main() -> None:
    """Do one way and print the CPU seconds of its work."""
    known = {way.__name__: way for way in WAYS}
    parser = argparse.ArgumentParser(description="Do one of the ways that bench_data.py measures.")
    parser.add_argument("way", choices=known)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    work = known[options.way](options.folder)
    begun = time.process_time()
    work()
    print(json.dumps({"work": time.process_time() - begun}))


if __name__ == "__main__":
    main()
