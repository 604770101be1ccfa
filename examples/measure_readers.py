"""Open what `convert` writes with the programs that people use, and compare every mask with the source's.

    pip install datumaro supervision label-studio-sdk labelme supervisely hotcoco
    python examples/measure_readers.py coigan/dataset

The argument is a Dataset that `coigan-aug import` made. Prints for each format and each program that is installed how many
masks came out of it pixel for pixel, of how many that the format could hold. Programs are only run here: none is a
dependency of this package.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from coigan_aug.annotations import rle
from coigan_aug.annotations.components import split_components
from coigan_aug.formats.converting import convert
from coigan_aug.store.dataset import Dataset

Found = Iterator[tuple[str, str, np.ndarray]]
"""The image's name without suffix, the class, and the mask [H, W]."""


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def by_pycocotools(folder: Path) -> Found:
    """annToMask of every annotation."""
    from pycocotools.coco import COCO

    loaded = COCO(str(folder / "annotations.json"))
    for item in loaded.anns.values():
        name = loaded.imgs[item["image_id"]]["file_name"]
        yield _stem(name), loaded.cats[item["category_id"]]["name"], loaded.annToMask(item)


def by_hotcoco(folder: Path) -> Found:
    """ann_to_mask of every annotation."""
    from hotcoco import COCO

    loaded = COCO(str(folder / "annotations.json"))
    names = {item["id"]: item["name"] for item in loaded.load_cats(loaded.get_cat_ids())}
    images = {item["id"]: item["file_name"] for item in loaded.load_imgs(loaded.get_img_ids())}
    for item in loaded.load_anns(loaded.get_ann_ids()):
        yield _stem(images[item["image_id"]]), names[item["category_id"]], np.asarray(loaded.ann_to_mask(item))


def by_datumaro(kind: str) -> Callable[[Path], Found]:
    """Dataset.import_from(folder, kind); every annotation with an image. A COCO file is moved to where datumaro wants it."""

    def read(folder: Path) -> Found:
        from datumaro.components.dataset import Dataset as Imported

        if kind == "coco":
            (folder / "annotations").mkdir()
            (folder / "annotations.json").rename(folder / "annotations" / "instances_default.json")
            (folder / "images").rename(folder / "default")
            (folder / "images").mkdir()
            (folder / "default").rename(folder / "images" / "default")
        loaded = Imported.import_from(str(folder), kind)
        labels = loaded.categories()[next(key for key in loaded.categories() if key.name == "label")]
        for item in loaded:
            for found in item.annotations if item.subset != "trainval" else ():
                if hasattr(found, "image"):
                    yield _stem(item.id), labels[found.label].name, np.asarray(found.image)

    return read


def by_supervision(folder: Path) -> Found:
    """DetectionDataset.from_yolo with masks."""
    from supervision import DetectionDataset

    for labels in sorted({path.parent for path in (folder / "labels").rglob("*.txt")}):
        images = folder / "images" / labels.relative_to(folder / "labels")
        loaded = DetectionDataset.from_yolo(str(images), str(labels), str(folder / "data.yaml"), force_masks=True)
        for path, _, found in loaded:
            for mask, label in zip(() if found.mask is None else found.mask, found.class_id, strict=True):
                yield Path(path).stem, loaded.classes[label], np.asarray(mask)


def by_labelme(folder: Path) -> Found:
    """LabelFile of every JSON file; its shapes drawn by shapes_to_label, those of a group together."""
    from labelme._label_file import LabelFile
    from labelme.utils import img_data_to_arr, shapes_to_label

    for path in sorted(folder.rglob("*.json")):
        loaded = LabelFile(str(path))
        size = img_data_to_arr(loaded.imageData).shape
        for number, shape in enumerate(loaded.shapes):
            own = (
                [s for s in loaded.shapes if s["group_id"] == shape["group_id"]]
                if shape["group_id"] is not None
                else [shape]
            )
            if loaded.shapes.index(own[0]) == number:
                drawn, _ = shapes_to_label(size, own, {s["label"]: 1 for s in own})
                yield path.stem, shape["label"], drawn


def by_supervisely(folder: Path) -> Found:
    """Project of the folder, get_ann of every image, its labels drawn."""
    import supervisely

    project = supervisely.Project(str(folder), supervisely.OpenMode.READ)
    for dataset in project.datasets:
        for name in dataset:
            loaded = dataset.get_ann(name, project.meta)
            for label in loaded.labels:
                mask = np.zeros(loaded.img_size, np.uint8)
                label.geometry.draw(mask, 1)
                yield _stem(name), label.obj_class.name, mask


def by_label_studio(folder: Path) -> Found:
    """decode_rle of every brush stroke."""
    from label_studio_sdk.converter.brush import decode_rle

    for task in json.loads((folder / "annotations.json").read_text()):
        for stroke in task["annotations"][0]["result"]:
            value, size = stroke["value"], (stroke["original_height"], stroke["original_width"], 4)
            pixels = np.asarray(decode_rle(value["rle"])).reshape(size)
            yield _stem(task["data"]["image"]), value["brushlabels"][0], pixels[..., 3] > 0


READERS: tuple[tuple[str, str, Callable[[Path], Found]], ...] = (
    ("coco", "pycocotools", by_pycocotools),
    ("coco", "hotcoco", by_hotcoco),
    ("coco", "datumaro", by_datumaro("coco")),
    ("cvat", "datumaro", by_datumaro("cvat")),
    ("voc", "datumaro", by_datumaro("voc_instance_segmentation")),
    ("yolo", "supervision", by_supervision),
    ("labelme", "labelme", by_labelme),
    ("label-studio", "label-studio-sdk", by_label_studio),
    ("supervisely", "supervisely", by_supervisely),
)


def masks_of(source: Path, *, parts: bool) -> Counter[tuple[str, str, bytes]]:
    """Return the masks of a Dataset; `parts`: each part for itself, as formats without masks of several parts have it."""
    found: Counter[tuple[str, str, bytes]] = Counter()
    for record in Dataset(source):
        for annotation in record.annotations:
            for mask in split_components(annotation.rle) if parts else [annotation.rle]:
                found[_stem(record.file), annotation.label, rle.canonical(mask).counts.encode()] += 1
    return found


def compare(source: Path, name: str, read: Callable[[Path], Found]) -> tuple[int, int, int]:
    """Write a format, read it, and return the masks that are the same, those of the source, and those read."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        convert(source, out, to=name, image_files="link")
        seen = Counter((image, label, rle.encode(np.asarray(mask)).counts.encode()) for image, label, mask in read(out))
    known = masks_of(source, parts=name == "yolo")
    return (known & seen).total(), known.total(), seen.total()


def main() -> None:
    """Print the table."""
    source = Path(sys.argv[1])
    cv2.setNumThreads(1)
    print("| format | read by | masks the same | of | read |\n|---|---|---|---|---|")
    for name, program, read in READERS:
        try:
            said = f"{program} {version(program)}"
        except PackageNotFoundError:
            print(f"| {name} | {program} | not installed | | |", flush=True)
            continue
        print(f"| {name} | {said} | {' | '.join(map(str, compare(source, name, read)))} |", flush=True)


if __name__ == "__main__":
    main()
