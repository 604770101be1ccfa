"""The numbers of results: what evaluation writes and the report reads.

Shares are 0 to 1; None is what could not be measured. What has a default is not in every result of earlier versions.
"""

from __future__ import annotations

import math

import msgspec
from msgspec import UNSET, Struct, UnsetType

FEW_PIECES = 10
"""Test pieces of a class below which little can be told of it alone."""
FINDING = ("pixel_ap", "iou_any", "found_5", "found_10")
NAMING = ("ap", "iou")
TITLES = {
    "pixel_ap": "pixel AP of any defect",
    "iou_any": "IoU of any defect",
    "found_5": "objects found, 5 % of clean images alarmed",
    "found_10": "objects found, 10 % of clean images alarmed",
    "ap": "mean pixel AP by class",
    "iou": "mean IoU by class",
    "clean_alarms": "clean images alarmed",
    "clean_pixels": "clean pixels called a defect",
}
"""What a table calls a measure; where it is by class, the mean over the classes."""
ByClass = dict[str, float | None]


def number(value: float) -> float | None:
    """Return a value for JSON: None where it is not finite."""
    return float(value) if math.isfinite(value) else None


class Interval(Struct, frozen=True, kw_only=True):
    """A mean and the bounds of its 95 % interval."""

    mean: float | None
    low: float | None = None
    high: float | None = None


# Benefit


class InUse(Struct, frozen=True, kw_only=True):
    """Objects found and clean images alarmed in the test, by a threshold that alarms `asked` of clean training images."""

    asked: float
    found: float | None
    alarmed: float | None


class Curve(Struct, frozen=True, kw_only=True):
    """Objects found at shares of alarmed clean images."""

    alarmed: list[float] = []
    found: list[float | None] = []


class SeedScores(Struct, frozen=True, kw_only=True):
    """What an arm reached with one seed: every measure, and the IoU once more, as earlier versions had it."""

    seed: int = 0
    measures: dict[str, float | None] = {}
    mean_iou: float | None = None
    iou: ByClass = {}


class ArmScores(Struct, frozen=True, kw_only=True):
    """What an arm reached: every measure with its interval, IoU and AP by class, what is found where, seed by seed.

    `confusion` counts pixels, a row for each true class after the background. `spread` is the standard deviation between
    seeds, by measure. `mean_dice` is of earlier versions.
    """

    name: str
    source: str = ""
    share: float = 0.0
    negatives: bool = False
    measures: dict[str, Interval] = {}
    mean_iou: Interval | None = None
    iou: ByClass = {}
    ap: ByClass = {}
    found_by_class: dict[str, ByClass] = {}
    in_use: list[InUse] = []
    clean_false_positives: float | None = None
    confusion: list[list[int]] = []
    curve: Curve = Curve()
    by_seed: list[SeedScores] = []
    spread: dict[str, float | None] = {}
    mean_dice: Interval | float | UnsetType = UNSET


class Difference(Struct, frozen=True, kw_only=True):
    """One arm minus another by a measure, of a class, or of all together where there is none."""

    arm: str
    against: str
    measure: str = "iou"
    label: str | None = msgspec.field(name="class", default=None)
    mean: float | None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> Interval:
        """Its mean and bounds."""
        return Interval(mean=self.mean, low=self.low, high=self.high)


class Groups(Struct, frozen=True, kw_only=True):
    """Test pieces with a defect."""

    test_defective: int | None = None


class Images(Struct, frozen=True, kw_only=True):
    """Training images (of each fold), test images with a defect and without."""

    train: list[int] | int
    test_defective: int
    test_clean: int


class Benefit(Struct, frozen=True, kw_only=True):
    """What a benefit test measured: its arms, their differences, and what they say of the arm `about`.

    `pieces` counts test pieces by class; `verdicts` are by "finding" and "naming".
    """

    classes: list[str] = []
    folds: int = 1
    seeds: list[int] = []
    pieces: dict[str, int] = {}
    groups: Groups = Groups()
    arms: list[ArmScores] = []
    differences: list[Difference] = []
    about: str | None = None
    best_other: str | None = None
    best_other_naming: str | None = None
    verdicts: dict[str, str | None] = {}
    verdict: str = ""
    steps: int | UnsetType = UNSET
    images: Images | UnsetType = UNSET


# Quality


class Comparison(Struct, frozen=True, kw_only=True):
    """How far one set of rows is from another; None where there are too few rows for a figure.

    `features` names the feature space, `comparable` says whether papers measure in it. `kid` and its standard error
    are in the kernel's units (tables print them times 1000); the error takes groups of near-duplicate images as one
    witness each, and `groups_first` and `groups_second` count them. `precision` is the share of the first set within the
    second's reach, `recall` the share of the second within the first's. `fid_biased`: too few rows for FID.
    """

    features: str = "?"
    comparable: bool = True
    n_first: int = 0
    n_second: int = 0
    groups_first: int = 0
    groups_second: int = 0
    fid: float | None = None
    fid_biased: bool = False
    kid: float | None = None
    kid_error: float | None = None
    precision: float | None = None
    recall: float | None = None


NOT_COMPARED = Comparison()


class Pairs(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Synthetic rows compared with train's and test's, and the floor: train's with test's. Where they are not: nothing."""

    synthetic_train: Comparison = NOT_COMPARED
    synthetic_test: Comparison = NOT_COMPARED
    floor: Comparison = NOT_COMPARED

    def __bool__(self) -> bool:
        """Tell whether anything was compared."""
        return self.floor is not NOT_COMPARED


class Space(Struct, frozen=True, kw_only=True):
    """The comparisons in one feature space: of whole images (nothing where these can't be), of objects, by class."""

    features: str
    comparable: bool = True
    width: int = 0
    images: Pairs = Pairs()
    objects: Pairs = Pairs()
    classes: dict[str, Pairs] = {}


class Diversity(Struct, frozen=True, kw_only=True):
    """Mean distance between the insides of two objects of a class; `ratio` is synthetic over train. None: too few."""

    features: str
    comparable: bool = False
    synthetic: float | None
    train: float | None
    ratio: float | None
    n_synthetic: int
    n_train: int = 0


class Copies(Struct, frozen=True, kw_only=True):
    """How many synthetic objects of a class are nearer to a training object than training objects are to each other.

    `threshold` is the `quantile` of the distances from a training object to its nearest one of another group. `share`
    is the share of synthetic objects that are nearer than it to a training object, `floor` that of real test objects.
    `from_shape_source` is the share of synthetic objects whose nearest training object lies in the very image whose
    shape they took, `by_chance` what it would be if the nearest were any training object. None: not to be told.
    """

    features: str = "?"
    comparable: bool = False
    quantile: float = 0.0
    threshold: float | None = None
    share: float | None
    floor: float | None
    from_shape_source: float | None
    by_chance: float | None
    n_synthetic: int
    n_train: int = 0
    n_test: int = 0


class Inside(Struct, frozen=True, kw_only=True):
    """What the insides of a class's masks tell."""

    diversity: Diversity
    copies: Copies


class SeamRatios(Struct, frozen=True, kw_only=True):
    """Gradients at the margin's edge over the base image's: of how many objects, their median and 95th percentile."""

    n: int = 0
    median: float | None = None
    p95: float | None = None


class SeamCounts(Struct, frozen=True, kw_only=True):
    """The pixels beyond the margins and those of them that changed, and the seams of each class."""

    margin_px: int = 0
    images: int = 0
    pixels_outside: int
    pixels_changed_outside: int
    classes: dict[str, SeamRatios] = {}


class CrispOf(Struct, frozen=True, kw_only=True):
    """Medians over `n` objects: grain inside the mask and steepness of its edge, shares of the brightness of the surface."""

    n: int = 0
    grain: float | None = None
    edge: float | None = None


class Crisp(Struct, frozen=True, kw_only=True):
    """How crisp a class is: its synthetic, training and test objects, and the first and last over training's (1: as crisp)."""

    synthetic: CrispOf
    train: CrispOf
    test: CrispOf
    grain: float | None
    edge: float | None
    test_grain: float | None
    test_edge: float | None


class Agreed(Struct, frozen=True, kw_only=True):
    """IoU of a segmenter that knows only real images, on synthetic and held-out real ones, and the first over the second."""

    synthetic: float
    real: float
    ratio: float | None


class SetCounts(Struct, frozen=True, kw_only=True):
    """How much a set holds; classes count objects."""

    images: int
    objects: int = 0
    classes: dict[str, int] = {}


class Quality(Struct, frozen=True, kw_only=True):
    """What a quality measurement found, in each feature space and class by class; None where it was not looked for."""

    counts: dict[str, SetCounts] = {}
    spaces: list[Space] = []
    inside: dict[str, Inside] = {}
    seams: SeamCounts | None = None
    crispness: dict[str, Crisp] | None = None
    agreement: dict[str, Agreed] | None = None


# The thesis' measure


class Fids(Struct, frozen=True, kw_only=True):
    """FID of train against test tiles, and of synthetic against test tiles."""

    train_test: float
    synthetic_test: float


class Published(Fids, frozen=True, kw_only=True):
    """What the thesis has, of how many tiles of which data."""

    images: int
    data: str


class TileCounts(Struct, frozen=True, kw_only=True):
    """Tiles that a set gives, and those that were drawn of them."""

    found: int
    used: int


class Thesis(Struct, frozen=True, kw_only=True):
    """The thesis' measure: in which features, of how many tiles of which size, beside what the thesis has."""

    features: str
    comparable: bool
    tile_px: int
    asked: int
    tiles: dict[str, TileCounts]
    fid: Fids
    fid_biased: bool
    thesis: Published
