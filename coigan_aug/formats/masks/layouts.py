"""The layouts of folders that are known by name, as declarations. Those that no name fits are paired as `general` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from coigan_aug.formats.masks.templates import Spot, Template

Bare = Literal["judged", "clean", "unknown"]
Coding = Literal["", "filled", "numbered"]
BY_FOLDER = "the folder of the defect"
ONE = "one: defect"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """A layout by its name: where its images, masks and defect-free images lie, as patterns of paths (`Template`).

    Args:
        name: what people call it.
        images: patterns of images that may have masks.
        masks: patterns of masks; one belongs to the image with which it shares all parts of its pattern.
        clean: patterns of images that are free of defects.
        aside: patterns of images that are neither, and not missed.
        bare: what an image without a mask is, if no pattern calls it clean: of unknown state, clean, or as its neighbours
            suggest (`missing`).
        coding: what a pixel says: "filled", the defect where it is not 0; "numbered", the number of an instance;
            "" as in any mask (`values`).
        classes: where the class comes from, in words.
        note: what else is to be known, in words.
    """

    name: str
    images: tuple[str, ...]
    masks: tuple[str, ...]
    clean: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    bare: Bare = "judged"
    coding: Coding = ""
    classes: str = ONE
    note: str = ""

    @cached_property
    def _templates(self) -> dict[str, tuple[Template, ...]]:
        kinds = {"images": self.images, "masks": self.masks, "clean": self.clean, "aside": self.aside}
        return {kind: tuple(map(Template, texts)) for kind, texts in kinds.items()}

    def shown(self, kind: str) -> list[str]:
        """Return the patterns of a kind ("images", "masks", "clean", "aside") as people write paths."""
        return list(dict.fromkeys(template.shown for template in self._templates[kind]))

    def spots(self, kind: str, tree: Mapping[str, list[str]]) -> dict[str, Spot]:
        """Return where the files of a kind lie in a tree (folder -> names), by their paths."""
        spots: dict[str, Spot] = {}
        for template in self._templates[kind]:
            spots |= template.spots(tree)
        return spots

    @property
    def words(self) -> str:
        """The layout in a line."""
        return f"{self.name}: {self.shown('images')[0]}, {self.shown('masks')[0]}"


_GOOD = "{top}{share}/{free}/{name}"
_JPEG = "(jpg|jpeg|bmp|tif|tiff)"

LAYOUTS = (
    Declaration(
        name="BTAD",
        images=("{top}test/{kind:ko}/{name}",),
        masks=("{top}ground_truth/{kind:ko}/{name}",),
        clean=("{top}{share}/{free:ok}/{name}",),
        bare="unknown",
        classes=BY_FOLDER,
    ),
    Declaration(
        name="VisA 1cls",
        images=("{top}test/{kind:bad}/{name}",),
        masks=("{top}ground_truth/{kind:bad}/{name}",),
        clean=(_GOOD,),
        bare="unknown",
        coding="filled",
        classes=BY_FOLDER,
    ),
    Declaration(
        name="MVTec AD, MPDD",
        images=("{top}test/{kind}/{name}",),
        masks=("{top}ground_truth/{kind}/{name}_mask", "{top}ground_truth/{kind}/{name}"),
        clean=(_GOOD,),
        bare="unknown",
        classes=BY_FOLDER,
        note="One category or the whole root.",
    ),
    Declaration(
        name="MVTec LOCO AD",
        images=("{top}test/{kind}/{name}",),
        masks=("{top}ground_truth/{kind}/{name}/{n}",),
        clean=(_GOOD,),
        bare="unknown",
        coding="filled",
        classes=BY_FOLDER,
        note="Each file is an object; its value names a kind of defect and is not kept.",
    ),
    Declaration(
        name="MVTec AD 2",
        images=("{top}{kind:bad}/{name}",),
        masks=("{top}ground_truth/{kind:bad}/{name}_mask",),
        clean=("{top}{free:good}/{name}",),
        bare="unknown",
        classes=BY_FOLDER,
        note="test_public/ alone or the object's folder; test_private/ has no masks and is not read.",
    ),
    Declaration(
        name="MVTec 3D-AD",
        images=("{top}test/{kind}/rgb/{name}",),
        masks=("{top}test/{kind}/gt/{name}",),
        clean=("{top}{share}/{free}/rgb/{name}",),
        aside=("{top}{share}/{kind}/xyz/{name}",),
        bare="unknown",
        classes=BY_FOLDER,
        note="The point clouds in xyz/ are not read.",
    ),
    Declaration(
        name="VisA",
        images=("{top}Images/{kind:Anomaly}/{name}",),
        masks=("{top}Masks/{kind:Anomaly}/{name}",),
        clean=("{top}Images/{free:Normal}/{name}",),
        bare="unknown",
        coding="filled",
        classes=BY_FOLDER,
        note="Values count as one defect; with --classes a=1,b=2 each is a class.",
    ),
    Declaration(
        name="Real-IAD",
        images=("{top}NG/{kind}/{sub}{name}." + _JPEG,),
        masks=("{top}NG/{kind}/{sub}{name}.png",),
        clean=("{top}{free:OK}/{sub}{name}." + _JPEG,),
        bare="unknown",
        classes=BY_FOLDER,
    ),
    Declaration(
        name="KolektorSDD",
        images=("{top}{part:kos#}/{name}",),
        masks=("{top}{part:kos#}/{name}_label",),
        bare="unknown",
        note="A part without a defect has an empty mask.",
    ),
    Declaration(
        name="KolektorSDD2",
        images=("{top}{share}/{name}",),
        masks=("{top}{share}/{name}_GT",),
        bare="unknown",
        note="A part without a defect has an empty mask.",
    ),
    Declaration(
        name="DAGM 2007",
        images=("{top}{share}/{name}",),
        masks=("{top}{share}/Label/{name}_label",),
        bare="clean",
        note="Only defects have a mask.",
    ),
    Declaration(
        name="AITEX",
        images=("{top}Defect_images/{name}",),
        masks=("{top}Mask_images/{name}_mask", "{top}Mask_images/{name}_mask{n}"),
        clean=("{top}NODefect_images/{sub}{name}",),
        bare="unknown",
    ),
    Declaration(
        name="DeepCrack",
        images=("{top}{share}_img/{name}",),
        masks=("{top}{share}_lab/{name}",),
    ),
    Declaration(
        name="Crack500",
        images=("{top}{share}crop/{name}." + _JPEG,),
        masks=("{top}{share}crop/{name}.png", "{top}{share}crop/{name}_mask.png"),
    ),
    Declaration(
        name="CFD (CrackForest)",
        images=("{top}(image|cfd_image)/{name}",),
        masks=("{top}(groundTruth|cfd_gt|seg)/{name}",),
        note="Masks are MATLAB files (groundTruth.Segmentation), or pictures.",
    ),
    Declaration(
        name="RSDDs",
        images=("{top}(Rail surface images|Rails|Rail)/{name}",),
        masks=("{top}(GroundTruth|Ground truth|gt)/{name}",),
    ),
    Declaration(
        name="SD-saliency-900",
        images=("{top}Source Images/{name}",),
        masks=("{top}Ground truth/{name}",),
    ),
    Declaration(
        name="NEU-Seg",
        images=("{top}images/{share}/{name}", "{top}{share}/images/{name}"),
        masks=("{top}annotations/{share}/{name}", "{top}{share}/annotations/{name}"),
        classes="the value: --classes inclusion=1,patches=2,scratches=3",
    ),
    Declaration(
        name="mmsegmentation",
        images=("{top}img_dir/{sub}{name}",),
        masks=("{top}ann_dir/{sub}{name}",),
        classes="the value: --classes a=1,b=2,ignore=255",
    ),
    Declaration(
        name="Cityscapes",
        images=("{top}leftImg8bit/{sub}{name}_leftImg8bit",),
        masks=("{top}gtFine/{sub}{name}_gtFine_labelIds",),
        aside=("{top}gtFine/{sub}{name}_gtFine_(color|instanceIds|labelTrainIds)",),
        bare="unknown",
        classes="the value: --classes a=1,b=2,ignore=255",
    ),
    Declaration(
        name="nnU-Net",
        images=("{top}images{share:Tr|Ts}/{name}_0000",),
        masks=("{top}labels{share:Tr|Ts}/{name}",),
        aside=("{top}images{share:Tr|Ts}/{name}_#",),
        classes="the value, as dataset.json names it",
        note="The first channel of each image is read.",
    ),
    Declaration(
        name="CamVid (SegNet)",
        images=("{top}{share}/{name}",),
        masks=("{top}{share}annot/{name}",),
        classes="the value: --classes a=1,b=2",
    ),
    Declaration(
        name="Carvana",
        images=("{top}{share}/{name}", "{top}{share}_hq/{name}"),
        masks=("{top}{share}_masks/{name}_mask", "{top}{share}_masks/{name}"),
    ),
    Declaration(
        name="U-Net's image/ and label/",
        images=("{top}image/{name}",),
        masks=("{top}label/{name}",),
    ),
    Declaration(
        name="cellpose",
        images=("{top}{name}",),
        masks=("{top}{name}_masks", "{top}{name}_cp_masks"),
        coding="numbered",
        note="Each value is an object.",
    ),
    Declaration(
        name="anomalib's Folder",
        images=("{top}{kind}/{name}",),
        masks=("{top}(mask|masks|ground_truth|gt)/{kind}/{name}",),
        clean=("{top}{free}/{name}",),
        bare="unknown",
        classes=BY_FOLDER,
    ),
)
"""Those known by name, in the order in which they are tried: the first that leaves no file over, else the one that leaves
least."""

GENERAL = (
    Declaration(
        name="images/ and masks/",
        images=("{top}(images|image|imgs|img|jpegimages)/{sub}{name}",),
        masks=("{top}(masks|mask|gt|ground_truth|groundtruth|labels|label|annotations|segmentationclass)/{sub}{name}",),
        classes="a folder below masks/, the end of a mask's name, or the folder of the image",
        note="Also train_images/ and train_masks/, crack/images/ and crack/masks/, and the like.",
    ),
    Declaration(
        name="masks beside images",
        images=("{top}{name}.(jpg|jpeg|bmp|tif|tiff|webp)",),
        masks=("{top}{name}_(mask|gt|label|lab|seg)",),
        classes="the folder, or the end of a mask's name",
        note="A .png beside an image of another kind, or a name with a word for a mask.",
    ),
)
"""What `general` pairs in the end, for people: it goes by words in names, not by these patterns."""
