"""Layouts of folders. Truth: the trees are made here, and what each image shows is said beside its name."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.formats.detect import open_source
from coigan_aug.formats.masks.layouts import LAYOUTS
from coigan_aug.formats.source import Problems, ReadOptions, parse_classes
from tests.formats.masks.trees import HOLLOW, NUMBERS, A, B, grow

UNKNOWN, CLEAN = "unknown", "clean"


@dataclass(frozen=True)
class Tree:
    """A tree of files, what is on its images (class -> masks, or a state), the name of its layout, how it is read."""

    name: str
    files: str | Mapping[str, object]
    images: Mapping[str, object]
    classes: str = ""
    orphans: int = 0
    unread: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)


def one(label: str, *masks: np.ndarray) -> dict[str, list[np.ndarray]]:
    return {label: list(masks or (A,))}


TREES = [
    Tree(
        "MVTec AD",
        "test/cut/0.png test/cut/1.png test/good/0.png train/good/0.png validation/good/7.png ground_truth/cut/0_mask.png=A"
        " ground_truth/hole/0_mask.png=A",
        {"test/cut/0.png": one("cut"), "test/cut/1.png": UNKNOWN}
        | dict.fromkeys(["test/good/0.png", "train/good/0.png", "validation/good/7.png"], CLEAN),
        orphans=1,
    ),
    Tree(
        "MVTec AD",
        "bottle/test/cut/0.png bottle/train/good/0.png bottle/ground_truth/cut/0_mask.png=A"
        " cable/test/cut/0.png cable/test/bent/1.png cable/ground_truth/cut/0_mask.png=B cable/ground_truth/bent/1.png=A",
        {"bottle/test/cut/0.png": one("cut"), "cable/test/cut/0.png": one("cut", B), "cable/test/bent/1.png": one("bent"),
         "bottle/train/good/0.png": CLEAN},
    ),
    Tree(
        "MVTec LOCO AD",
        {"a/test/logical/000.png": "", "a/test/good/000.png": "", "a/train/good/000.png": "", "a/validation/good/0.png": "",
         "a/ground_truth/logical/000/000.png": A // 255 * 236, "a/ground_truth/logical/000/001.png": B // 255 * 248},
        {"a/test/logical/000.png": one("logical", A, B)}
        | dict.fromkeys(["a/test/good/000.png", "a/train/good/000.png", "a/validation/good/0.png"], CLEAN),
    ),
    Tree(
        "MVTec AD 2",
        "can/test_public/bad/000_regular.png can/test_public/good/000_regular.png can/train/good/1_regular.png"
        " can/validation/good/2_regular.png can/test_private/000.png can/test_private_mixed/000_mixed.png"
        " can/test_public/ground_truth/bad/000_regular_mask.png=A",
        {"can/test_public/bad/000_regular.png": one("bad"), "can/test_public/good/000_regular.png": CLEAN,
         "can/train/good/1_regular.png": CLEAN, "can/validation/good/2_regular.png": CLEAN},
        unread=("can/test_private", "can/test_private_mixed"),
    ),
    Tree(
        "MVTec 3D-AD",
        "bagel/test/hole/rgb/000.png bagel/test/hole/gt/000.png=A bagel/test/good/rgb/000.png bagel/test/good/gt/000.png=0"
        " bagel/train/good/rgb/000.png bagel/validation/good/rgb/000.png bagel/test/hole/xyz/000.tiff"
        " bagel/train/good/xyz/000.tiff",
        {"bagel/test/hole/rgb/000.png": one("hole")}
        | {f"bagel/{share}/good/rgb/000.png": CLEAN for share in ("test", "train", "validation")},
    ),
    Tree(
        "VisA",
        {"candle/Data/Images/Anomaly/000.JPG": "", "candle/Data/Images/Normal/0000.JPG": "",
         "candle/Data/Masks/Anomaly/000.png": A // 255 + B // 255 * 2, "pcb1/Data/Images/Anomaly/000.JPG": "",
         "pcb1/Data/Masks/Anomaly/000.png": A // 255},
        {"candle/Data/Images/Anomaly/000.JPG": one("anomaly", A | B), "candle/Data/Images/Normal/0000.JPG": CLEAN,
         "pcb1/Data/Images/Anomaly/000.JPG": one("anomaly")},
    ),
    Tree(
        "VisA",
        {"Images/Anomaly/000.JPG": "", "Images/Normal/0000.JPG": "", "Masks/Anomaly/000.png": A // 255 + B // 255 * 2},
        {"Images/Anomaly/000.JPG": one("wax") | one("burn", B), "Images/Normal/0000.JPG": CLEAN},
        classes="wax=1,burn=2",
    ),
    Tree(
        "VisA 1cls",
        "candle/test/bad/000.JPG candle/test/good/0.JPG candle/train/good/1.JPG candle/ground_truth/bad/000.png=A",
        {"candle/test/bad/000.JPG": one("bad"), "candle/test/good/0.JPG": CLEAN, "candle/train/good/1.JPG": CLEAN},
    ),
    Tree(
        "BTAD",
        "01/test/ko/0000.bmp 01/test/ok/0000.bmp 01/train/ok/0000.bmp 01/ground_truth/ko/0000.png=A"
        " 03/test/ko/0000.bmp 03/ground_truth/ko/0000.bmp=B 03/train/ok/0000.bmp",
        {"01/test/ko/0000.bmp": one("ko"), "03/test/ko/0000.bmp": one("ko", B)}
        | dict.fromkeys(["01/test/ok/0000.bmp", "01/train/ok/0000.bmp", "03/train/ok/0000.bmp"], CLEAN),
    ),
    Tree(
        "Real-IAD",
        "audiojack/NG/BX/S0001/a_0001_NG.jpg audiojack/NG/BX/S0001/a_0001_NG.png=A audiojack/NG/BX/S0002/a_0002_NG.jpg"
        " audiojack/OK/S0001/a_0001_OK.jpg toy/NG/HS/S0001/t.jpg toy/NG/HS/S0001/t.png=B",
        {"audiojack/NG/BX/S0001/a_0001_NG.jpg": one("bx"), "audiojack/NG/BX/S0002/a_0002_NG.jpg": UNKNOWN,
         "audiojack/OK/S0001/a_0001_OK.jpg": CLEAN, "toy/NG/HS/S0001/t.jpg": one("hs", B)},
    ),
    Tree(
        "KolektorSDD",
        "kos01/Part0.jpg kos01/Part0_label.bmp=0 kos01/Part1.jpg kos01/Part1_label.bmp=A kos12/Part0.jpg",
        {"kos01/Part0.jpg": CLEAN, "kos01/Part1.jpg": one("defect"), "kos12/Part0.jpg": UNKNOWN},
    ),
    Tree(
        "KolektorSDD2",
        "train/1.png train/1_GT.png=A train/2.png train/2_GT.png=0 test/3.png test/3_GT.png=B test/4.png",
        {"train/1.png": one("defect"), "train/2.png": CLEAN, "test/3.png": one("defect", B), "test/4.png": UNKNOWN},
    ),
    Tree(
        "DAGM 2007",
        "Class1/Train/0001.PNG Class1/Train/0002.PNG Class1/Train/Label/0002_label.PNG=A Class10/Test/0001.PNG"
        " Class10/Test/Label/0001_label.PNG=B Class10/Test/0002.PNG",
        {"Class1/Train/0001.PNG": CLEAN, "Class1/Train/0002.PNG": one("defect"), "Class10/Test/0001.PNG": one("defect", B),
         "Class10/Test/0002.PNG": CLEAN},
    ),
    Tree(
        "DAGM 2007",
        "Train/1.PNG Train/2.PNG Train/Label/2_label.PNG=A Train/Label/9_label.PNG=A",
        {"Train/1.PNG": UNKNOWN, "Train/2.PNG": one("defect")},
        orphans=1,
    ),
    Tree(
        "AITEX",
        "Defect_images/0001_002_00.png Mask_images/0001_002_00_mask.png=A Defect_images/0044_019_04.png"
        " Mask_images/0044_019_04_mask1.png=A Mask_images/0044_019_04_mask2.png=B Defect_images/0100_025_08.png"
        " NODefect_images/2306881-210020u/0001_000_00.png",
        {"Defect_images/0001_002_00.png": one("defect"), "Defect_images/0044_019_04.png": one("defect", A, B),
         "Defect_images/0100_025_08.png": UNKNOWN, "NODefect_images/2306881-210020u/0001_000_00.png": CLEAN},
    ),
    Tree(
        "DeepCrack",
        "train_img/1.jpg train_lab/1.png=A test_img/1.jpg test_lab/1.png=B",
        {"train_img/1.jpg": one("defect"), "test_img/1.jpg": one("defect", B)},
    ),
    Tree(
        "Crack500",
        "traincrop/traincrop/2016_1.jpg traincrop/traincrop/2016_1.png=A valcrop/valcrop/2016_1.jpg"
        " valcrop/valcrop/2016_1.png=B valcrop/valcrop/2016_2.jpg",
        {"traincrop/traincrop/2016_1.jpg": one("defect"), "valcrop/valcrop/2016_1.jpg": one("defect", B),
         "valcrop/valcrop/2016_2.jpg": CLEAN},
    ),
    Tree("CFD", "image/001.jpg groundTruth/001.png=A", {"image/001.jpg": one("defect")}),
    Tree(
        "RSDDs",
        {"Type-I RSDDs dataset/Rail surface images/rail_1.jpg": "", "Type-I RSDDs dataset/GroundTruth/rail_1.png": A},
        {"Type-I RSDDs dataset/Rail surface images/rail_1.jpg": one("defect")},
    ),
    Tree(
        "SD-saliency-900",
        {"Source Images/In_1.bmp": "", "Ground truth/In_1.png": A},
        {"Source Images/In_1.bmp": one("defect")},
    ),
    Tree(
        "NEU-Seg",
        {"images/training/1.jpg": "", "annotations/training/1.png": NUMBERS, "images/test/1.jpg": "",
         "annotations/test/1.png": NUMBERS},
        {"images/training/1.jpg": one("in") | one("pa", B), "images/test/1.jpg": one("in") | one("pa", B)},
        classes="in=1,pa=2",
    ),
    Tree(
        "NEU-Seg",
        {"training/images/1.jpg": "", "training/annotations/1.png": NUMBERS},
        {"training/images/1.jpg": one("in") | one("pa", B)},
        classes="in,pa",
    ),
    Tree(
        "mmsegmentation",
        {"img_dir/train/0.jpg": "", "ann_dir/train/0.png": np.where(HOLLOW, 255, NUMBERS).astype(np.uint8)},
        {"img_dir/train/0.jpg": one("a") | one("b", B)},
        classes="a=1,b=2,ignore=255",
    ),
    Tree(
        "Cityscapes",
        {"leftImg8bit/train/a/0_leftImg8bit.png": "", "gtFine/train/a/0_gtFine_labelIds.png": NUMBERS,
         "gtFine/train/a/0_gtFine_color.png": "", "gtFine/train/a/0_gtFine_instanceIds.png": NUMBERS,
         "leftImg8bit/test/b/1_leftImg8bit.png": ""},
        {"leftImg8bit/train/a/0_leftImg8bit.png": one("a") | one("b", B), "leftImg8bit/test/b/1_leftImg8bit.png": UNKNOWN},
        classes="a=1,b=2",
    ),
    Tree(
        "nnU-Net",
        {"imagesTr/x_0000.png": "", "imagesTr/x_0001.png": "", "labelsTr/x.png": NUMBERS, "imagesTs/y_0000.png": ""},
        {"imagesTr/x_0000.png": one("crack") | one("dent", B), "imagesTs/y_0000.png": UNKNOWN},
        texts={"dataset.json": '{"labels": {"background": 0, "crack": 1, "dent": 2}, "file_ending": ".png"}'},
    ),
    Tree(
        "nnU-Net",
        {"imagesTr/x_0000.png": "", "labelsTr/x.png": A // 255, "imagesTs/y_0000.png": "", "labelsTs/y.png": B // 255},
        {"imagesTr/x_0000.png": one("crack"), "imagesTs/y_0000.png": one("crack", B)},
        texts={"dataset.json": '{"labels": {"0": "background", "1": "crack"}}'},
    ),
    Tree(
        "CamVid",
        {"train/1.png": "", "trainannot/1.png": NUMBERS, "val/2.png": "", "valannot/2.png": NUMBERS, "train.txt": None},
        {"train/1.png": one("a") | one("b", B), "val/2.png": one("a") | one("b", B)},
        classes="a=1,b=2",
    ),
    Tree(
        "Carvana",
        "train/c_01.jpg train/c_02.jpg train_masks/c_01_mask.gif=A train_masks/c_02_mask.gif=B test/d_01.jpg",
        {"train/c_01.jpg": one("defect"), "train/c_02.jpg": one("defect", B), "test/d_01.jpg": UNKNOWN},
    ),
    Tree("U-Net", "image/0.png label/0.png=A", {"image/0.png": one("defect")}),
    Tree(
        "cellpose",
        {"img_0.tif": "", "img_0_masks.tif": NUMBERS, "img_1.tif": "", "img_1_masks.tif": NUMBERS.astype(np.uint16) * 300},
        {"img_0.tif": one("defect", A, B), "img_1.tif": one("defect", A, B)},
    ),
    Tree("cellpose", "a.png a_cp_masks.png=A b.png b_masks.png=soft", {k: one("defect") for k in ("a.png", "b.png")}),
    Tree(
        "anomalib",
        "good/0.jpg crack/0.jpg crack/1.jpg colour/0.jpg mask/crack/0.png=A mask/colour/0.jpg=B",
        {"good/0.jpg": CLEAN, "crack/0.jpg": one("crack"), "crack/1.jpg": UNKNOWN, "colour/0.jpg": one("colour", B)},
    ),
    Tree(
        "images/ and train/masks/",
        "train/images/1.png train/masks/1.png=A val/images/2.png val/masks/2.png=B",
        {"train/images/1.png": one("defect"), "val/images/2.png": one("defect", B)},
    ),
    Tree(
        "images/ and masks/",
        "images/0.png masks/0.png=A ok/1.png extra/2.png",
        {"images/0.png": one("defect"), "ok/1.png": CLEAN},
        unread=("extra",),
    ),
    Tree(
        "images/ and",
        "crack/images/1.png crack/masks/1.png=A spall/images/1.png spall/masks/1.png=B",
        {"crack/images/1.png": one("crack"), "spall/images/1.png": one("spall", B)},
    ),
    Tree(
        "defective/ and defective_masks/",
        "defective/1.png defective_masks/1.png=A good/2.png",
        {"defective/1.png": one("defective"), "good/2.png": CLEAN},
    ),
    Tree(
        "JPEG/ and Truth_masks/",
        "JPEG/1.png Truth_masks/1.png=A",
        {"JPEG/1.png": one("defect")},
    ),
    Tree("beside", "001/image.png 001/mask.png=A 002/image.png 002/mask.png=B",
         {"001/image.png": one("defect"), "002/image.png": one("defect", B)}),
    Tree("beside", "image_1.png mask_1.png=A image_2.png mask_2.png=B",
         {"image_1.png": one("defect"), "image_2.png": one("defect", B)}),
    Tree("beside", "MT_Pit/a.jpg MT_Pit/a.png=A MT_Free/b.jpg", {"MT_Pit/a.jpg": one("mt_pit"), "MT_Free/b.jpg": CLEAN}),
]  # fmt: skip


@pytest.mark.parametrize("tree", TREES, ids=[f"{k}-{tree.name}" for k, tree in enumerate(TREES)])
def test_each_layout_gives_classes_states_and_pixels(tree: Tree, tmp_path: Path) -> None:
    grow(tmp_path, tree.files, tree.texts)
    problems = Problems()
    options = ReadOptions(classes=parse_classes(tree.classes) if tree.classes else ())
    source = open_source(tmp_path, options=options, problems=problems)
    records = list(source.records)
    assert {record.file for record in records} == set(tree.images)
    for record in records:
        wanted = tree.images[record.file]
        shown = {label: [] for label in (wanted if isinstance(wanted, dict) else ())}
        for annotation in record.annotations:
            shown.setdefault(annotation.label, []).append(rle.decode(annotation.rle) * 255)
        state = wanted if isinstance(wanted, str) else "annotated"
        assert record.state == state, record.file
        assert {label: [m.tolist() for m in masks] for label, masks in shown.items()} == {
            label: [m.tolist() for m in masks] for label, masks in (wanted if isinstance(wanted, dict) else {}).items()
        }, record.file
    assert tree.name in source.description, source.description
    assert sum("has no image" in problem.what for problem in problems.all if problem.error) == tree.orphans
    left = [problem.what for problem in problems.all if problem.done == "not read"]
    assert [re.findall(r"images of (\S+)/ have", what)[0] for what in left] == list(tree.unread)


def test_every_layout_known_by_name_has_a_tree_here() -> None:
    names = [tree.name for tree in TREES]
    assert [known.name for known in LAYOUTS if not any(known.name.startswith(name) for name in names)] == []


def test_the_page_of_layouts_is_what_the_declarations_say() -> None:
    page = Path(__file__).parents[3] / "examples" / "layouts.md"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(page.parent))
        assert page.read_text() == importlib.import_module("make_layouts").layouts(), "python examples/make_layouts.py"
