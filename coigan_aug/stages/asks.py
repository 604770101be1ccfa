"""The requests to the stages: every option of every command, its default, what it says, once.

Light on purpose: `--help` reads this and loads neither NumPy nor torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath
from coigan_aug.formats.names import NAMES

FORMATS = ", ".join(NAMES)
Device = Annotated[str | None, Option(help="cpu, cuda or cuda:N. Default: the GPU where there is one.")]
RunName = Annotated[str | None, Option(help="Run to draw with: its name or number. Default: the newest.")]
Clip = Annotated[bool, Option(help="Cut runs that leave the image. Default: an error.")]
SkipMissing = Annotated[bool, Option(help="Leave out missing images. Default: an error.")]
SkipBroken = Annotated[bool, Option(help="Leave out broken images. Default: an error.")]
UnknownAs = Annotated[
    str | None,
    Option(
        metavar="clean",
        help="clean: take images that lost an annotation, or whose mask is missing, as they are; without a mask they count"
        " as defect-free. Default: they are of unknown state and serve nothing.",
    ),
]
Overrides = Annotated[
    Sequence[str],
    Option(flag="--set", metavar="SECTION.KEY=VALUE", read=list[str], help="Override a setting; may be repeated."),
]
Config = Annotated[StrPath | None, Option(read=Path, help="Settings file. Default: coigan.yaml, where there is one.")]


@dataclass(frozen=True, kw_only=True)
class ImportAsk(Ask):
    """Read a team's annotations into the workspace."""

    COMMAND: ClassVar[str] = "import"

    source: Annotated[StrPath, Option(argument=True, read=Path, help="Annotation file, or folder of masks.")]
    images: Annotated[StrPath | None, Option(read=Path, help="Folder of the images. Default: found beside SOURCE.")] = (
        None
    )
    format: Annotated[str | None, Option(help=f"{FORMATS}. Default: looked up.")] = None
    classes: Annotated[str | None, Option(help="Class names: a,b,c or a=1,b=2 or a=#ff0000. Default: SOURCE's.")] = None
    group_by: Annotated[
        str | None,
        Option(
            help="Column of SOURCE, regex over file names (group 1 names the group), or none."
            " Default: near-duplicates are found."
        ),
    ] = None
    split: Annotated[
        float | str,
        Option(
            read=str,
            metavar="SHARE|source",
            help="Share of the training images, 0-1; --folds needs none. source: the sides that SOURCE names.",
        ),
    ] = "0.8"
    folds: Annotated[int, Option(help="Folds of a cross validation, listed in folds.json. Default: none.")] = 0
    fold: Annotated[int, Option(help="The fold that is the test set, from 1.")] = 1
    seed: Annotated[int, Option(help="Seed of the split and of the folds.")] = 0
    clip_rle: Clip = False
    skip_missing: SkipMissing = False
    skip_broken: SkipBroken = False
    unknown_as: UnknownAs = None
    value_range: Annotated[
        str | None,
        Option(
            metavar="LOW,HIGH",
            help="Pixel values that become 0 and 255 in 8-bit copies of images with more bits. Default: an error.",
        ),
    ] = None
    strict: Annotated[bool, Option(help="Make the first problem an error. Default: problems are noted.")] = False
    overwrite: Annotated[bool, Option(help="Replace the data set that is there. Default: refuse.")] = False
    binary: Annotated[bool, Option(help="Store packed binary JSON. Default: text.")] = False


@dataclass(frozen=True, kw_only=True)
class ConvertAsk(Ask):
    """Write annotations in another format."""

    COMMAND: ClassVar[str] = "convert"

    source: Annotated[
        StrPath,
        Option(
            argument=True, read=Path, metavar="SRC", help="Annotation file, folder of masks, Dataset, or workspace."
        ),
    ]
    out: Annotated[
        StrPath, Option(argument=True, read=Path, metavar="DST", help="New folder for annotations and images.")
    ]
    to: Annotated[str, Option(metavar="FORMAT", help=f"Format to write: {FORMATS}.")]
    format: Annotated[
        str | None, Option(flag="--from", metavar="FORMAT", help="Format of SRC, one of the same. Default: looked up.")
    ] = None
    images: Annotated[StrPath | None, Option(read=Path, help="Folder of the images. Default: found beside SRC.")] = None
    image_files: Annotated[
        str | None,
        Option(help="copy, link (hard links) or none: annotations alone. Default: copy; with --size none."),
    ] = None
    classes: Annotated[
        str | None, Option(help="Class names: a,b,c or a=1,b=2 or a=#ff0000. Default: those of SRC.")
    ] = None
    size: Annotated[
        str | None,
        Option(
            metavar="HxW",
            help="Height x width in pixels of all images, where neither they nor their sizes are at hand: 256x1600.",
        ),
    ] = None
    polygons: Annotated[
        str | None,
        Option(
            metavar="READER",
            help="COCO: outlines that this reader fills to the same mask: pycocotools or cv2. Default: run lengths.",
        ),
    ] = None
    crowd: Annotated[bool, Option(help="COCO: iscrowd 1, which most trainers leave out. Default: 0.")] = False
    binary: Annotated[bool, Option(help="line-json: packed binary JSON. Default: text.")] = False
    clip_rle: Clip = False
    skip_missing: SkipMissing = False
    skip_broken: SkipBroken = False
    unknown_as: UnknownAs = None
    strict: Annotated[
        bool,
        Option(
            help="Make the first problem and the first loss an error; ids that TO has no place for are none."
            " Default: counted."
        ),
    ] = False
    overwrite: Annotated[bool, Option(help="Replace a DST that convert made and nobody added to. Default: refuse.")] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class InspectAsk(Ask):
    """Show what a data set holds and what is wrong or odd in it."""

    COMMAND: ClassVar[str] = "inspect"

    path: Annotated[
        StrPath | None,
        Option(
            argument=True,
            read=Path,
            help="A data set's folder, or annotations in any format that import reads. Default: the workspace's.",
        ),
    ] = None
    images: Annotated[StrPath | None, Option(read=Path, help="Folder of the images. Default: found beside PATH.")] = (
        None
    )
    format: Annotated[str | None, Option(help="Format of PATH, as for import. Default: looked up.")] = None
    classes: Annotated[str | None, Option(help="Class names, as for import. Default: PATH's own.")] = None
    unknown_as: UnknownAs = None
    min_area: Annotated[int, Option(help="Objects of fewer px are called too small.")] = 16
    html: Annotated[
        StrPath | None,
        Option(read=Path, help="Page to write. Default: inspect.html in the workspace; none for another PATH."),
    ] = None
    strict: Annotated[
        bool, Option(help="Exit with 6 where something is wrong or the split leaks. Default: say so, exit with 0.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class TrainAsk(Ask):
    """Train the generator on the imported data set."""

    COMMAND: ClassVar[str] = "train"

    recipe: Annotated[str, Option(help="tiny (CPU), default (GPU, 256 px) or coigan (the thesis' model).")] = "default"
    gpus: Annotated[
        int | None, Option(least=0, help="GPUs to train on; 0 is the CPU. Default: 1 where there is one.")
    ] = None
    device: Device = None
    images_seen: Annotated[
        int | str | None, Option(read=str, help="Length in samples, such as 200k. Default: the recipe's.")
    ] = None
    minutes: Annotated[float | None, Option(least=0.01, help="Stop after so many minutes. Default: no limit.")] = None
    seed: Annotated[int | None, Option(help="Seed of everything random. Default: 7.")] = None
    resume: Annotated[bool, Option(help="Continue the newest run with its own settings.")] = False
    init_from: Annotated[
        str | None,
        Option(help="Begin with the weights of another run (name or number) or generator file, as far as they fit."),
    ] = None
    dry_run: Annotated[bool, Option(help="Show plan, memory and time, measured on 3 real steps.")] = False
    perceptual_weights: Annotated[StrPath | None, Option(read=Path, help="Weight file of the perceptual features.")] = (
        None
    )
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class SynthesizeAsk(Ask):
    """Make synthetic defect images with exact masks."""

    COMMAND: ClassVar[str] = "synthesize"

    out: Annotated[
        StrPath,
        Option(
            read=Path,
            help="Folder for images, annotations, preview, plan and card.",
        ),
    ]
    per_class: Annotated[
        int | str | Mapping[str, int] | None,
        Option(
            read=str,
            metavar="N | CLASS=N,...",
            help="Defects to make of each class: 500, or crack=800,fray=200.",
        ),
    ] = None
    balance: Annotated[bool, Option(help="Bring every class up to the largest one's number of objects.")] = False
    plan: Annotated[
        StrPath | None,
        Option(
            read=Path,
            metavar="FILE",
            help="Make this plan: the plan.jsonl of --dry-run or of a finished set, edited or not.",
        ),
    ] = None
    defects_per_image: Annotated[
        str | None,
        Option(
            metavar="N | N-M | SHARES",
            help="2, 1-3, or shares of images with 1, 2, ...: 0.7,0.3. Default: as in the training images.",
        ),
    ] = None
    engine: Annotated[
        str,
        Option(
            help="gan; copies: transplant (an image's defects in their own place), paste (brightness matched), poisson"
            " (cloned); auto: what evaluate benefit found best for each class, else gan."
        ),
    ] = "auto"
    run: RunName = None
    format: Annotated[str, Option(help=f"{FORMATS}, or source (as imported).")] = "coco"
    image_format: Annotated[
        str, Option(help="png, or jpeg at the quality of each base image (95 where it has none).")
    ] = "png"
    windows: Annotated[bool, Option(help="Make windows of the training size instead of whole images.")] = False
    bases: Annotated[
        str,
        Option(
            help="What is drawn on: clean (defect-free images), erased (training images whose defects are erased) or both."
        ),
    ] = "clean"
    shapes: Annotated[
        str | None,
        Option(
            help="Kinds of shapes, each as often: real, warped, recombined, learned; several by commas. Default: real."
        ),
    ] = None
    roi: Annotated[
        StrPath | None,
        Option(
            read=Path,
            metavar="MASKS",
            help="Where defects may go: one mask image, or a folder of masks named like the images.",
        ),
    ] = None
    screen: Annotated[
        bool, Option(flag="--screen/--no-screen", help="Reject and replace what is no good. Default: yes.")
    ] = True
    with_real: Annotated[
        bool, Option(help="Put the real training images beside; at most 35 % of those with defects are synthetic.")
    ] = False
    append: Annotated[bool, Option(help="Add to the finished set that --out holds.")] = False
    overwrite: Annotated[bool, Option(help="Replace the set that --out holds; other files stay.")] = False
    gpus: Annotated[
        int | None, Option(least=0, help="GPUs to draw on; 0 is the CPU. Default: 1 where there is one.")
    ] = None
    shard: Annotated[
        str | None,
        Option(
            metavar="I/N", help="Make share I of N only; whoever makes the last one of an --out finishes it. See merge."
        ),
    ] = None
    seed: Annotated[int | None, Option(help="Seed of plan and noise. Default: 1.")] = None
    device: Device = None
    dry_run: Annotated[bool, Option(help="Plan only: write OUT/plan.jsonl and say what would be made.")] = False
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class DrawAsk(Ask):
    """Draw defects with given masks on one image."""

    COMMAND: ClassVar[str] = "draw"

    image: Annotated[StrPath, Option(read=Path, help="Image to draw on.")]
    masks: Annotated[
        Sequence[StrPath],
        Option(flag="--mask", read=list[Path], help="A mask image (not 0: the defect). May be repeated."),
    ]
    classes: Annotated[Sequence[str], Option(flag="--class", read=list[str], help="The class of each --mask.")]
    out: Annotated[StrPath, Option(read=Path, help="Image to write, such as made.png.")]
    contrasts: Annotated[
        Sequence[float],
        Option(
            flag="--contrast",
            read=list[float],
            help="How much brighter than round it each is, -1..2. Default: the class's median.",
        ),
    ] = ()
    seed: Annotated[int | None, Option(help="Seed of the noise. Default: 1.")] = None
    run: RunName = None
    overwrite: Annotated[bool, Option(help="Replace the image that --out names. Default: refuse.")] = False
    device: Device = None
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class MergeAsk(Ask):
    """Put shares of one synthesis, made in folders of their own, together to one set."""

    COMMAND: ClassVar[str] = "merge"

    folders: Annotated[
        Sequence[StrPath],
        Option(argument=True, read=list[Path], metavar="FOLDER...", help="Output folders of synthesize --shard I/N."),
    ]
    out: Annotated[StrPath, Option(read=Path, help="Folder for the whole set; may be one of them.")]


@dataclass(frozen=True, kw_only=True)
class QualityAsk(Ask):
    """Measure how far synthetic images are from real ones."""

    COMMAND: ClassVar[str] = "evaluate quality"

    synthetic: Annotated[
        str | None,
        Option(
            metavar="NAME|FOLDER",
            help="Synthetic set: its name, or the folder given as --out. Default: the newest.",
        ),
    ] = None
    features: Annotated[
        str | None,
        Option(
            help="Feature spaces: efficientnet_lite0 (no download), inception (papers' figures), or both with a comma."
            " Default: efficientnet_lite0; for the thesis' protocol inception."
        ),
    ] = None
    inception_weights: Annotated[
        StrPath | None, Option(read=Path, help="Weight file of Inception. Default: downloaded, 96 MB.")
    ] = None
    segmenter: Annotated[
        bool,
        Option(
            flag="--segmenter/--no-segmenter",
            help="Train a segmenter on real images and see whether it finds the synthetic defects. Default: yes.",
        ),
    ] = True
    protocol: Annotated[str, Option(help="default, or thesis: FID of tiles only, as its section 4.5.")] = "default"
    images: Annotated[
        int | None, Option(least=2, help="Tiles a side, for the thesis' protocol. Default: 40,000, as it has.")
    ] = None
    device: Device = None
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class BenefitAsk(Ask):
    """Train a segmenter with and without synthetic defects and compare on held-out images."""

    COMMAND: ClassVar[str] = "evaluate benefit"

    engines: Annotated[
        str,
        Option(
            help="What is added, an arm each: engines, duplicates, cutmix, empty; a+b mixes, a/negatives adds counterfeits."
        ),
    ] = "duplicates,transplant,paste,gan"
    arms: Annotated[
        Sequence[str],
        Option(
            flag="--arm",
            read=list[str],
            metavar="NAME=FOLDER",
            help="One more source: a data set made by synthesize. May be repeated.",
        ),
    ] = ()
    run: RunName = None
    folds: Annotated[
        bool,
        Option(
            flag="--folds/--no-folds",
            help="Test every piece once, with a run for each fold of import --folds. Default: no.",
        ),
    ] = False
    seeds: Annotated[int | None, Option(least=1, help="Trainings of each arm, in each fold. Default: 3.")] = None
    minutes: Annotated[
        float | None,
        Option(
            least=0.01,
            help="Budget for all trainings together; every arm gets the same steps. Default: 2,400 steps each.",
        ),
    ] = None
    jobs: Annotated[int, Option(least=1, help="Trainings at the same time, one thread each. Default: 1.")] = 1
    groups_per_class: Annotated[
        int | None,
        Option(
            least=1,
            help="Small-data mode: so many groups of images of each class, as the run was trained. Default: all.",
        ),
    ] = None
    protocol: Annotated[
        str,
        Option(
            help="default, or coigan: the thesis' successor's (binary masks, FCN-ResNet50, 100 epochs, 5,000 tiles)."
        ),
    ] = "default"
    screen: Annotated[
        bool,
        Option(flag="--screen/--no-screen", help="Judge what the engines draw as synthesize does. Default: yes."),
    ] = True
    device: Device = None
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class ExportAsk(Ask):
    """Write a trained generator as a file that other programs can load."""

    COMMAND: ClassVar[str] = "export-model"

    to: Annotated[
        str,
        Option(
            help="onnx (for most programs; needs the extra onnx), torchscript (for libtorch; torch calls it outdated,"
            " prefer onnx) or safetensors (weights alone, for coigan-aug and networks of your own). Default: onnx."
        ),
    ] = "onnx"
    out: Annotated[
        StrPath | None,
        Option(
            read=Path, help="File to write. Default: export/generator.onnx (.pt, .safetensors) in the run's folder."
        ),
    ] = None
    run: Annotated[str | None, Option(help="Run whose generator: its name or number. Default: the newest.")] = None
    size: Annotated[
        str | None,
        Option(help="Height x width of the images it will draw on, px: 256 or 256x1600. Default: the training window."),
    ] = None
    overwrite: Annotated[bool, Option(help="Replace the file if there is one.")] = False


@dataclass(frozen=True, kw_only=True)
class ReportAsk(Ask):
    """Put what a workspace holds into one HTML file."""

    COMMAND: ClassVar[str] = "report"

    out: Annotated[StrPath | None, Option(read=Path, help="File to write. Default: report.html in the workspace.")] = (
        None
    )


@dataclass(frozen=True, kw_only=True)
class DemoAsk(Ask):
    """Show the whole job on made-up steel strips."""

    COMMAND: ClassVar[str] = "demo"

    out: Annotated[StrPath, Option(read=Path, help="Folder to make. Default: ./coigan-demo")] = Path("coigan-demo")
    train: Annotated[bool, Option(help="Train the model here first; about four minutes on two cores.")] = False
    images_seen: Annotated[int | str | None, Option(read=str, help="With --train: length in samples. Default: 5k.")] = (
        None
    )
    per_class: Annotated[int, Option(least=1, help="Defects of each class to make. Default: 6.")] = 6
