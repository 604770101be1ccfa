"""The requests to the stages: every option of every command, its default, what it says, once."""
# Light on purpose: `--help` reads this and loads neither NumPy nor torch.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from coigan_aug.asking import Ask, Option, StrPath
from coigan_aug.stages import shared
from coigan_aug.stages.shared import (
    FORMATS,
    AcceptChanges,
    Config,
    Device,
    DryRun,
    Gpus,
    ImagesSeen,
    Minutes,
    Overrides,
    Resume,
    RunName,
    StyleAsk,
    TrainSeed,
    Truncation,
)


@dataclass(frozen=True, kw_only=True)
class ImportAsk(Ask):
    """Read a team's annotations into the workspace."""

    COMMAND: ClassVar[str] = "import"

    source: Annotated[StrPath, Option("Annotation file, or folder of masks.", argument=True)]
    images: Annotated[StrPath | None, Option("Folder of the images. Default: found beside SOURCE.")] = None
    format: Annotated[str | None, Option(f"{FORMATS}. Default: looked up.")] = None
    classes: Annotated[str | None, Option("Class names: a,b,c or a=1,b=2 or a=#ff0000. Default: SOURCE's.")] = None
    group_by: Annotated[
        str | None,
        Option(
            "Column of SOURCE, regex over file names (group 1 names the group), or none."
            " Default: near-duplicates are found."
        ),
    ] = None
    split: Annotated[
        float | str,
        Option(
            "Share of the training images, 0-1; --folds needs none. source: the sides that SOURCE names.",
            read=str,
            metavar="SHARE|source",
        ),
    ] = "0.8"
    folds: Annotated[int, Option("Folds of a cross validation, listed in folds.json. Default: none.")] = 0
    fold: Annotated[int, Option("The fold that is the test set, from 1.")] = 1
    seed: Annotated[int, Option("Seed of the split and of the folds.")] = 0
    clip_rle: shared.Clip = False
    skip_missing: shared.SkipMissing = False
    skip_broken: shared.SkipBroken = False
    pair: shared.Pair = None
    invert_masks: shared.InvertMasks = None
    resize_masks: shared.ResizeMasks = False
    unknown_as: shared.UnknownAs = None
    rle_order: shared.RleOrder = None
    line_width: shared.LineWidth = None
    value_range: shared.ValueRange = None
    strict: Annotated[bool, Option("Make the first problem an error. Default: problems are noted.")] = False
    overwrite: Annotated[bool, Option("Replace the data set that is there. Default: refuse.")] = False
    binary: Annotated[bool, Option("Store packed binary JSON. Default: text.")] = False


@dataclass(frozen=True, kw_only=True)
class ConvertAsk(Ask):
    """Write annotations in another format."""

    COMMAND: ClassVar[str] = "convert"

    source: Annotated[
        StrPath, Option("Annotation file, folder of masks, Dataset, or workspace.", argument=True, metavar="SRC")
    ]
    out: Annotated[StrPath, Option("New folder for annotations and images.", argument=True, metavar="DST")]
    to: Annotated[str, Option(f"Format to write: {FORMATS}.", metavar="FORMAT")]
    format: Annotated[
        str | None, Option("Format of SRC, one of the same. Default: looked up.", flag="--from", metavar="FORMAT")
    ] = None
    images: Annotated[StrPath | None, Option("Folder of the images. Default: found beside SRC.")] = None
    image_files: Annotated[
        str | None, Option("copy, link (hard links) or none: annotations alone. Default: copy; with --size none.")
    ] = None
    classes: Annotated[str | None, Option("Class names: a,b,c or a=1,b=2 or a=#ff0000. Default: those of SRC.")] = None
    size: Annotated[
        str | None,
        Option(
            "Height x width in pixels of all images, where neither they nor their sizes are at hand: 256x1600.",
            metavar="HxW",
        ),
    ] = None
    polygons: Annotated[
        str | None,
        Option(
            "COCO: outlines that this reader fills to the same mask: pycocotools or cv2. Default: run lengths.",
            metavar="READER",
        ),
    ] = None
    crowd: Annotated[bool, Option("COCO: iscrowd 1, which most trainers leave out. Default: 0.")] = False
    binary: Annotated[bool, Option("line-json: packed binary JSON. Default: text.")] = False
    clip_rle: shared.Clip = False
    skip_missing: shared.SkipMissing = False
    skip_broken: shared.SkipBroken = False
    pair: shared.Pair = None
    invert_masks: shared.InvertMasks = None
    resize_masks: shared.ResizeMasks = False
    unknown_as: shared.UnknownAs = None
    rle_order: shared.RleOrder = None
    line_width: shared.LineWidth = None
    strict: Annotated[
        bool,
        Option(
            "Make the first problem and the first loss an error; ids that TO has no place for are none."
            " Default: counted."
        ),
    ] = False
    overwrite: Annotated[bool, Option("Replace a DST that convert made and nobody added to. Default: refuse.")] = False
    accept_changes: AcceptChanges = False


@dataclass(frozen=True, kw_only=True)
class InspectAsk(Ask):
    """Show what a data set holds and what is wrong or odd in it."""

    COMMAND: ClassVar[str] = "inspect"

    path: Annotated[
        StrPath | None,
        Option(
            "A data set's folder, or annotations in any format that import reads. Default: the workspace's.",
            argument=True,
        ),
    ] = None
    images: Annotated[StrPath | None, Option("Folder of the images. Default: found beside PATH.")] = None
    format: Annotated[str | None, Option("Format of PATH, as for import. Default: looked up.")] = None
    classes: Annotated[str | None, Option("Class names, as for import. Default: PATH's own.")] = None
    pair: shared.Pair = None
    invert_masks: shared.InvertMasks = None
    resize_masks: shared.ResizeMasks = False
    unknown_as: shared.UnknownAs = None
    rle_order: shared.RleOrder = None
    line_width: shared.LineWidth = None
    min_area: Annotated[int, Option("Objects of fewer px are called too small.")] = 16
    html: Annotated[
        StrPath | None, Option("Page to write. Default: inspect.html in the workspace; none for another PATH.")
    ] = None
    strict: Annotated[
        bool, Option("Exit with 6 where something is wrong or the split leaks. Default: say so, exit with 0.")
    ] = False
    accept_changes: AcceptChanges = False


@dataclass(frozen=True, kw_only=True)
class TrainAsk(Ask):
    """Train the generator on the imported data set."""

    COMMAND: ClassVar[str] = "train"

    recipe: Annotated[
        str | None,
        Option(
            "tiny (CPU), default (GPU, 256 px), coigan (the thesis' model) or coigan-small (its losses, on a CPU). Default:"
            " what fits the device."
        ),
    ] = None
    gpus: Gpus = None
    device: Device = None
    images_seen: ImagesSeen = None
    minutes: Minutes = None
    seed: TrainSeed = None
    resume: Resume = False
    init_from: Annotated[
        str | None,
        Option(
            "Begin with the weights of another run (name or number), a generator file, or bundled (the demo's), as far as"
            " they fit."
        ),
    ] = None
    dry_run: DryRun = False
    perceptual_weights: Annotated[StrPath | None, Option("Weight file of the perceptual features.")] = None
    accept_changes: AcceptChanges = False
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class SynthesizeAsk(Ask):
    """Make synthetic defect images with exact masks."""

    COMMAND: ClassVar[str] = "synthesize"

    out: Annotated[StrPath, Option("Folder for images, annotations, preview, plan and card.")]
    per_class: Annotated[
        int | str | Mapping[str, int] | None,
        Option("Defects to make of each class: 500, or crack=800,fray=200.", read=str, metavar="N | CLASS=N,..."),
    ] = None
    balance: Annotated[bool, Option("Bring every class up to the largest one's number of objects.")] = False
    plan: Annotated[
        StrPath | None,
        Option("Make this plan: the plan.jsonl of --dry-run or of a finished set, edited or not.", metavar="FILE"),
    ] = None
    defects_per_image: Annotated[
        str | None,
        Option(
            "2, 1-3, or shares of images with 1, 2, ...: 0.7,0.3. Default: as in the training images.",
            metavar="N | N-M | SHARES",
        ),
    ] = None
    engine: Annotated[
        str,
        Option(
            "gan; patch (patches of real defects, put together anew); copies: transplant (an image's defects in their own"
            " place), paste (brightness matched), poisson (cloned); all but gan need no training; auto: what evaluate"
            " benefit found best for each class, else gan."
        ),
    ] = "auto"
    run: RunName = None
    format: Annotated[str, Option(f"{FORMATS}, or source (as imported).")] = "coco"
    image_format: Annotated[str, Option("png, or jpeg at the quality of each base image (95 where it has none).")] = (
        "png"
    )
    windows: Annotated[bool, Option("Make windows of the training size instead of whole images.")] = False
    bases: Annotated[
        str,
        Option(
            "What is drawn on: clean (defect-free images), erased (training images whose defects are erased), both; auto:"
            " clean, or erased where no image is."
        ),
    ] = "auto"
    on: Annotated[
        StrPath | None,
        Option(
            "Draw on another line's defect-free images: its workspace, a data set (test images are left out), or a folder"
            " of nothing but defect-free images; engine auto is then what evaluate transfer found best, else a copy. Default:"
            " this line's own.",
            metavar="B",
        ),
    ] = None
    shapes: Annotated[
        str | None,
        Option("Kinds of shapes, each as often: real, warped, recombined, learned; several by commas. Default: real."),
    ] = None
    truncation: Truncation = None
    style: StyleAsk = None
    vary: Annotated[
        str | None,
        Option(
            "Draw siblings of real defects: all training objects, those of a CLASS, of an IMAGE, or one as IMAGE:NUMBER."
            " Their shapes are warped, unless --shapes says otherwise. Needs a run with a latent. Default: none.",
            metavar="all|CLASS|IMAGE[:NUMBER]",
        ),
    ] = None
    spread: Annotated[
        float | None,
        Option("How far siblings are from the real defect: 0 near, 1 unrelated. Default: 0.3.", least=0),
    ] = None
    masks: Annotated[
        str | None,
        Option(
            "Annotate the planned masks, or effective: what changed, to half of its strength. Default: planned.",
            metavar="planned|effective",
        ),
    ] = None
    roi: Annotated[
        StrPath | None,
        Option("Where defects may go: one mask image, or a folder of masks named like the images.", metavar="MASKS"),
    ] = None
    screen: Annotated[
        bool, Option("Reject and replace what is no good. Default: yes.", flag="--screen/--no-screen")
    ] = True
    with_real: Annotated[
        bool, Option("Put the real training images beside; at most 35 % of those with defects are synthetic.")
    ] = False
    append: Annotated[bool, Option("Add to the finished set that --out holds.")] = False
    overwrite: Annotated[bool, Option("Replace the set that --out holds; other files stay.")] = False
    gpus: Annotated[int | None, Option("GPUs to draw on; 0 is the CPU. Default: 1 where there is one.", least=0)] = None
    shard: Annotated[
        str | None,
        Option("Make share I of N only; whoever makes the last one of an --out finishes it. See merge.", metavar="I/N"),
    ] = None
    seed: Annotated[int | None, Option("Seed of plan and noise. Default: 1.")] = None
    device: Device = None
    dry_run: Annotated[bool, Option("Plan only: write OUT/plan.jsonl and say what would be made.")] = False
    accept_changes: AcceptChanges = False
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class DrawAsk(Ask):
    """Draw defects with given masks on one image."""

    COMMAND: ClassVar[str] = "draw"

    image: Annotated[StrPath, Option("Image to draw on.")]
    masks: Annotated[Sequence[StrPath], Option("A mask image (not 0: the defect). May be repeated.", flag="--mask")]
    classes: Annotated[Sequence[str], Option("The class of each --mask.", flag="--class")]
    out: Annotated[StrPath, Option("Image to write, such as made.png.")]
    contrasts: Annotated[
        Sequence[float],
        Option("How much brighter than round it each is, -1..2. Default: the class's median.", flag="--contrast"),
    ] = ()
    truncation: Truncation = None
    style: StyleAsk = None
    seed: Annotated[int | None, Option("Seed of the noise. Default: 1.")] = None
    run: RunName = None
    overwrite: Annotated[bool, Option("Replace the image that --out names. Default: refuse.")] = False
    device: Device = None
    overrides: Overrides = ()
    config: Config = None


@dataclass(frozen=True, kw_only=True)
class MergeAsk(Ask):
    """Put shares of one synthesis, made in folders of their own, together to one set."""

    COMMAND: ClassVar[str] = "merge"

    folders: Annotated[
        Sequence[StrPath], Option("Output folders of synthesize --shard I/N.", argument=True, metavar="FOLDER...")
    ]
    out: Annotated[StrPath, Option("Folder for the whole set; may be one of them.")]


@dataclass(frozen=True, kw_only=True)
class ExportAsk(Ask):
    """Write a trained generator as a file that other programs can load."""

    COMMAND: ClassVar[str] = "export-model"

    to: Annotated[
        str,
        Option(
            "onnx (for most programs; needs the extra onnx), torchscript (for libtorch; torch calls it outdated,"
            " prefer onnx) or safetensors (weights alone, for coigan-aug and networks of your own). Default: onnx."
        ),
    ] = "onnx"
    out: Annotated[
        StrPath | None, Option("File to write. Default: export/generator.onnx (.pt, .safetensors) in the run's folder.")
    ] = None
    run: Annotated[str | None, Option("Run whose generator: name or number. Default: the newest finished one.")] = None
    size: Annotated[
        str | None,
        Option("Height x width of the images it will draw on, px: 256 or 256x1600. Default: the training window."),
    ] = None
    overwrite: Annotated[bool, Option("Replace the file if there is one.")] = False


@dataclass(frozen=True, kw_only=True)
class ReportAsk(Ask):
    """Put what a workspace holds into one HTML file."""

    COMMAND: ClassVar[str] = "report"

    out: Annotated[StrPath | None, Option("File to write. Default: report.html in the workspace.")] = None
    accept_changes: AcceptChanges = False
