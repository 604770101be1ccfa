"""Hostile files: every reader, the store and the settings end with a sentence, within bounded memory, and write nothing.

What is generic runs over `detect.FORMATS`: each format's own writer makes the file that is then made hostile.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
from collections import defaultdict
from collections.abc import Iterator
from html import escape
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, ImageRecord
from coigan_aug.config import load_settings
from coigan_aug.data.split import split_groups
from coigan_aug.errors import CoiganError, ConfigError, DataError, UsageError
from coigan_aug.files import sha256
from coigan_aug.formats.detect import detect, format_named, open_source
from coigan_aug.formats.names import NAMES
from coigan_aug.formats.source import Problems, ReadOptions, make_classes
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset
from coigan_aug.store.writer import write_dataset
from tests.fuzz.mutations import DIGITS
from tests.fuzz.sources import SOURCES, Sample, damaged_reads, read, write_sample
from tests.thorough import tries

NAME = "a 0.png"
MEMORY = 700 << 20


@pytest.fixture(scope="module", params=SOURCES)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_sample(request.param, tmp_path_factory.mktemp("hostile") / "data")


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Give this process 700 MB more than it uses."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def _mended(sample: Sample) -> Iterator[None]:
    """Put the files back afterwards, having seen that nothing else was touched."""
    outside = sample.folder.parent / "outside"
    outside.mkdir(exist_ok=True)
    write_image(outside / "secret.png", np.zeros((20, 30), np.uint8))
    before = _tree(sample.folder.parent, but=sample)
    try:
        yield
    finally:
        after = _tree(sample.folder.parent, but=sample)
        sample.mend()
    assert after == before


def _tree(folder: Path, *, but: Sample) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path not in but.files)
    return {str(path.relative_to(folder)): sha256(path) for path in files}


def _images(sample: Sample) -> Path:
    """Return the folder of a source's images, not that of masks of the same names."""
    source = open_source(sample.path, options=ReadOptions(), problems=Problems(), name=sample.format)
    files = (source.image_root / record.file for record in source.records)
    return next(file.parent for file in files if file.name == NAME)


def _texts(sample: Sample) -> dict[Path, str]:
    """Return the text files of a source."""
    found = {}
    for path, data in sample.files.items():
        with contextlib.suppress(UnicodeDecodeError):
            found[path] = data.decode()
    return found


def _spelled(name: str, path: Path) -> str:
    """Write a name as a file of this kind does."""
    if path.suffix in (".json", ".jsonl"):
        return json.dumps(name)[1:-1]
    return escape(name) if path.suffix == ".xml" else name


def _rewritten(sample: Sample, old: str, new: str) -> int:
    """Replace a text in all files of a source; return how often it stood there."""
    count = 0
    for path, text in _texts(sample).items():
        count += text.count(_spelled(old, path))
        path.write_bytes(text.replace(_spelled(old, path), _spelled(new, path)).encode("utf-8", "surrogatepass"))
    return count


ESCAPES = [
    "../../etc/passwd",
    "../outside/secret.png",
    "..\\outside\\secret.png",
    "/etc/passwd",
    "C:\\Windows\\a.png",
    "\\\\host\\share\\a.png",
    "link.png",
    "a\0b.png",
    "x" * 300 + ".png",
    "d/" * 3_000 + "a.png",
    "loop/a.png",
    "zero.png",
]
ODD_NAMES = [*ESCAPES, "\ud800.png", "..", ".", "/", "", " ", "\n"]
NAMES_ARE_PATHS = ("coco", "severstal", "line-json")


def test_no_image_outside_is_read_whatever_its_name_says(sample: Sample) -> None:
    images, secret = _images(sample), sample.folder.parent / "outside" / "secret.png"
    if not _rewritten(sample, NAME, NAME):
        pytest.skip("the format names no images")
    for name in ODD_NAMES:
        with _mended(sample):
            links = (("link.png", secret), ("loop", "loop"), ("zero.png", "/dev/zero"))
            for link, target in links:
                (images / link).symlink_to(target)
            _rewritten(sample, NAME, name)
            results = list(damaged_reads(sample))  # which sees that all images lie in the folder
            for link, _ in links:
                (images / link).unlink()
            refused = isinstance(results[0], CoiganError)
            assert refused or sample.format not in NAMES_ARE_PATHS or name not in ESCAPES, ascii(name)
            for result in results:
                if not isinstance(result, CoiganError):
                    assert not any(record.file.endswith(("secret.png", "zero.png", "link.png")) for record in result[1])


def test_an_image_that_is_a_link_out_of_the_folder_is_not_read(sample: Sample) -> None:
    with _mended(sample):
        image = _images(sample) / NAME
        data = image.read_bytes()
        image.unlink()
        image.symlink_to(sample.folder.parent / "outside" / "secret.png")
        try:
            for result in damaged_reads(sample):
                assert isinstance(result, CoiganError) or all(not record.file.endswith(NAME) for record in result[1])
        finally:
            image.unlink()
            image.write_bytes(data)


def _same(sample: Sample) -> None:
    """Check that a source reads as it does when whole."""
    result = read(sample, ReadOptions())
    sample.mend()
    whole = read(sample, ReadOptions())
    assert not isinstance(result, CoiganError), result
    assert not isinstance(whole, CoiganError)
    assert result[1] == whole[1]
    assert result[0].classes == whole[0].classes


def test_a_byte_order_mark_is_passed_over(sample: Sample) -> None:
    with _mended(sample):
        for path, text in _texts(sample).items():
            path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        _same(sample)


def test_line_ends_of_windows_are_read(sample: Sample) -> None:
    with _mended(sample):
        for path, text in _texts(sample).items():
            path.write_bytes(text.replace("\n", "\r\n").encode())
        _same(sample)


BAD_NUMBERS = ["NaN", "Infinity", "-1", "2147483648", "1099511627776", "1e999", "1e308", DIGITS]


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("number", BAD_NUMBERS, ids=lambda number: number[:14])
def test_no_number_is_too_odd(sample: Sample, number: str) -> None:
    """Up to 16 numbers of the files of each kind are replaced, one at a time; all where thorough."""
    kinds = defaultdict(list)
    for path, text in _texts(sample).items():
        numbers = re.finditer(r"(?<![\w.])-?[0-9][0-9.]*", text)
        kinds[path.parent, path.suffix] += [(path, text, *match.span()) for match in numbers]
    with _mended(sample):
        for places in kinds.values():
            for path, text, start, end in places[:: len(places) // tries(16) + 1]:
                path.write_text(text[:start] + number + text[end:])
                for _ in damaged_reads(sample):
                    pass
                path.write_text(text)


OPENERS = {".json": "[", ".jsonl": "[", ".xml": "<a>", ".yaml": "[", ".csv": '"', ".txt": "0 "}


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("where", ["alone", "at the start", "at the end", "for a number"])
def test_deep_nesting_ends_with_a_sentence(sample: Sample, where: str) -> None:
    with _mended(sample):
        for path, text in _texts(sample).items():
            deep = OPENERS.get(path.suffix, "[") * 200_000
            number = re.search(r"(?<![\w.])[0-9]+", text)
            start, end = number.span() if number else (0, 0)
            changed = {"alone": deep, "at the start": deep + text, "at the end": text + deep}
            path.write_text(changed.get(where, text[:start] + deep + text[end:]))
            for _ in damaged_reads(sample):
                pass
            path.write_text(text)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("filler", ["x", "1 "])
def test_ten_megabytes_on_one_line_end_in_bounded_memory(sample: Sample, filler: str) -> None:
    with _mended(sample):
        for path, text in list(_texts(sample).items())[: tries(2)]:
            middle = text.find("1")
            long = filler * (10_000_000 // len(filler))
            for changed in (text + long, text[:middle] + long + text[middle:]):
                path.write_text(changed)
                read(sample, ReadOptions())
            path.write_text(text)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "dead link", "circle", "long"])
@pytest.mark.parametrize("format", [None, *NAMES])
def test_a_source_that_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, kind: str, format: str | None) -> None:
    for suffix in (".json", ".csv", ".jsonl", ".xml", ".yaml", ".txt"):
        path = tmp_path / f"a{suffix}"
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "long":
            path = tmp_path / ("x" * 300 + suffix)
        else:
            path.symlink_to({"device": "/dev/zero", "dead link": "nothing", "circle": path.name}[kind])
        with pytest.raises((DataError, UsageError)):
            list(open_source(path, options=ReadOptions(), problems=Problems(), name=format).records)
        with pytest.raises(DataError):
            detect(path)


# Names of classes, which become folders and cells


CLASS_NAMES = [
    "../../up",
    "/etc",
    "a/b",
    "a:b",
    "..",
    ".",
    " ",
    "CON",
    "a\nb",
    'a"b,c',
    "<b>&amp;",
    "{x}%s",
    "\u202e",
    "x" * 200,
    "猫" * 200,
    "é猫😀",
    "-1",
    "nan",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_writer_leaves_its_folder_whatever_a_class_is_named(tmp_path: Path, name: str) -> None:
    classes = make_classes([*CLASS_NAMES, "a_b"], source_ids=range(1, len(CLASS_NAMES) + 2))
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 1:5] = 1
    annotations = tuple(Annotation(label=known.name, rle=rle.encode(mask)) for known in classes)
    write_image(tmp_path / "out" / "images" / "a.png", mask)
    record = ImageRecord(file="images/a.png", height=6, width=8, annotations=annotations)
    with contextlib.suppress(CoiganError):
        format_named(name).write(tmp_path / "out" / "deep" / "deeper", [record], classes=classes)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"images", "deep"}
    assert {path.name for path in (tmp_path / "out" / "deep").iterdir()} <= {"deeper"}


def test_classes_never_share_a_folder_of_masks(tmp_path: Path) -> None:
    classes = make_classes(["a/b", "a:b", "A_B", "a_b"], source_ids=[None] * 4)
    record = ImageRecord(file="images/1.png", height=2, width=2)
    made = format_named("mask-folder").write(tmp_path, [record], classes=classes)
    assert len({path.name.lower() for path in made.iterdir() if path.is_dir()}) == 4


@pytest.mark.parametrize("name", ["x" * 201, "a\ud800"])
def test_a_class_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="a class is named") as caught:
        make_classes(["a", name], source_ids=[1, 2])
    assert "--classes" in caught.value.remedy


# Run lengths


def _packed(numbers: list[int]) -> str:
    return rle.compress(np.array(numbers), np.zeros(1, np.int64))[0]


def _chars(number: int) -> str:
    """Write one number as COCO's string does: 5 bits a character, low bits first, signed."""
    out = ""
    while True:
        low, number = number & 31, number >> 5
        last = number == (-1 if low & 16 else 0)
        out += chr(low + (48 if last else 80))
        if last:
            return out


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(
    "counts",
    [
        _chars(2**40),
        _chars(2**40) + _chars(2**40),
        _chars(2**62) * 3 + _chars(0) + _chars(48),  # 2^62 four times and 48: the sum is 48 in 64 bits
        _chars(-1) + _chars(49),
        _chars(40) + _chars(-8) + _chars(16),
        _chars(50) + _chars(-2),
        _chars(48) * 2,
        "o" * 100_000,
        "P" * 100_000 + "0",
        "0" * 100_000,
    ],
    ids=range(10),
)
def test_runs_that_do_not_fit_are_refused_without_being_laid_out(counts: str) -> None:
    mask = rle.Rle(6, 8, counts)
    for use in (rle.runs, rle.area, rle.decode, rle.box, rle.canonical):
        with pytest.raises(ValueError, match=r"damaged|add up"):
            use(mask)


def test_the_string_of_the_test_above_is_that_of_the_package() -> None:
    for numbers in ([5, 3], [0, 48], [100_000, 7], [40, 8]):
        assert "".join(map(_chars, numbers)) == _packed(numbers)


@pytest.mark.parametrize("runs", [[2**62] * 4 + [48], [2**63 - 1, 2**63 - 1, 50], [2**40], [-1, 49]])
def test_counts_whose_sum_wraps_round_are_refused(runs: list[int]) -> None:
    with pytest.raises(ValueError, match=r"cover|negative"):
        rle.from_runs(6, 8, runs)


COCO_MASKS = [
    {"size": [2**31, 2**31], "counts": [2**62]},
    {"size": [20, 30], "counts": [2**40]},
    {"size": [20, 30], "counts": [2**47] * 4},
    {"size": [20, 30], "counts": _chars(2**40)},
    {"size": [20, 30], "counts": [600.0]},
    {"size": [20, 30], "counts": [True, 599]},
    {"size": [20, 30], "counts": {"0": 600}},
    {"size": "20x30", "counts": [600]},
    {"size": [20, 30], "counts": "é"},
    [[0, 0, 2**31, 0, 0, 2**31]],
    [[1e8, 1e8, -1e8, 1e8, 0, 0]] * 10,
    [[0, 0, 30, 20] * 10_000],
    [[None] * 6],
    [[[1, 1], [2, 2], [3, 3]]],
    "x",
    7,
]


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("value", COCO_MASKS, ids=range(len(COCO_MASKS)))
@pytest.mark.parametrize("clip", [False, True])
def test_a_hostile_mask_of_coco_is_refused_or_cut(tmp_path: Path, value: object, clip: bool) -> None:
    sample = write_sample("coco", tmp_path / "data")
    top = json.loads(sample.path.read_text())
    top["annotations"][0]["segmentation"] = value
    sample.path.write_text(json.dumps(top))
    result = read(sample, ReadOptions(clip_rle=clip))
    assert isinstance(result, CoiganError) or len(result[1]) == 3


CELLS = {
    "1 1099511627776": "ends outside",
    "1099511627776 1": "ends outside",
    "-1 5": "not a whole number",
    "5 -1": "not a whole number",
    "1 2 3": "must be pairs",
    "0 5": "begins before the first pixel",
    "1 5 3 5": "",
    "5 5 1 2": "",
    "1 0": "",
    "600 1": "",
    "601 1": "ends outside",
    "1 600": "",
    "1 601": "ends outside",
    "1 1 " * 100_000: "",
    f"1 {DIGITS}": "ends outside",
    "1\x0b5": "not a whole number",
    "1\u00a05": "not a whole number",
    "١ ٢": "not a whole number",
    "0x1 5": "not a whole number",
}


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("cell", list(CELLS), ids=lambda cell: ascii(cell)[:20])
def test_a_hostile_cell_of_runs_is_refused_mended_or_cut(tmp_path: Path, cell: str) -> None:
    write_image(tmp_path / "images" / "a.png", np.zeros((20, 30), np.uint8))
    (tmp_path / "a.csv").write_text(f"ImageId,ClassId,EncodedPixels\na.png,1,{cell}\n", newline="")
    for clip in (False, True):
        options = ReadOptions(clip_rle=clip)
        problems = Problems()
        try:
            source = open_source(tmp_path / "a.csv", options=options, problems=problems, name="severstal")
            [record] = source.records
            assert not CELLS[cell] or clip
            assert sum(rle.area(a.rle) for a in record.annotations) <= 600
        except DataError as error:
            assert CELLS[cell]
            assert CELLS[cell] in error.message


# The store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_image(tmp_path / "images" / "a.png", np.zeros((6, 8), np.uint8))
    annotation = Annotation(label="pit", rle=rle.encode(np.eye(6, 8)))
    record = ImageRecord(file="a.png", height=6, width=8, annotations=(annotation,))
    write_dataset(
        tmp_path / "store",
        [record] * 2,
        classes=make_classes(["pit"], source_ids=[1]),
        image_root=tmp_path / "images",
        provenance={},
    )
    return tmp_path / "store"


def _used(folder: Path) -> None:
    dataset = Dataset(folder)
    for k in range(len(dataset)):
        dataset.image(k)
        dataset.masks(k)


RECORDS = [
    {"file": "../../etc/passwd"},
    {"file": "/etc/passwd"},
    {"file": "a/../../b.png"},
    {"file": "a\0.png"},
    {"file": "\ud800"},
    {"file": ""},
    {"file": 5},
    {"size": [2**31, 2**31]},
    {"size": [0, 8]},
    {"size": [-6, -8]},
    {"size": [6.0, 8.0]},
    {"size": ["6", "8"]},
    {"size": [6]},
    {"size": None},
    {"annotations": None},
    {"annotations": {}, "size": 3},
    {"annotations": ["x"]},
    {"annotations": [{"label": "pit"}]},
    {"annotations": [{"label": 3, "counts": "0"}]},
    {"annotations": [{"label": "pit", "counts": _chars(2**40)}]},
    {"annotations": [{"label": "pit", "counts": "zz"}]},
    {"annotations": [{"label": "pit", "counts": [48]}]},
    {"group": 7},
    {"split": []},
]


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("change", RECORDS, ids=range(len(RECORDS)))
def test_a_hostile_record_of_the_store_is_refused(store: Path, change: dict) -> None:
    path = store / "records.jsonl"
    record = json.loads(path.read_text().splitlines()[0]) | change
    path.write_text((json.dumps(record) + "\n") * 2)
    with pytest.raises(DataError, match="record 0 is damaged") as caught:
        _used(store)
    assert "records.jsonl" in caught.value.message


@pytest.mark.parametrize("line", ["[]", "3", "null", "[" * 100_000, "{", DIGITS, '{"file": "a.png"}', "\udcff", ""])
def test_a_line_that_is_no_record_is_refused(store: Path, line: str) -> None:
    (store / "records.jsonl").write_bytes(f"{line}\n".encode("utf-8", "surrogatepass") * 2)
    with pytest.raises(DataError):
        _used(store)


MANIFESTS = [
    [],
    None,
    3,
    {"classes": None},
    {"classes": [{}]},
    {"classes": [{"name": "a", "colour": [1, 2], "source_id": 1}]},
    {"records": "2"},
    {"records": 2**60},
    {"records": -1},
    {"records": None},
    {"image_root": 3},
    {"image_root": "\0"},
    {"binary": True},
    {"format_version": 2},
    {"classes": [{"name": 5, "colour": [1, 2, 3], "source_id": 1}]},
    {"classes": [{"name": "a", "colour": "abc", "source_id": 1}]},
]


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("change", MANIFESTS, ids=range(len(MANIFESTS)))
def test_a_hostile_manifest_is_refused(store: Path, change: object) -> None:
    path = store / "dataset.json"
    value = json.loads(path.read_text()) | change if isinstance(change, dict) else change
    path.write_text(json.dumps(value))
    with pytest.raises(DataError):
        _used(store)


@pytest.mark.parametrize("text", ["[" * 100_000, DIGITS, "{", "\0", '{"format_version": NaN}', ""])
def test_a_manifest_that_is_no_json_is_refused(store: Path, text: str) -> None:
    (store / "dataset.json").write_text(text)
    with pytest.raises(DataError):
        Dataset(store)


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"\0" * 24,
        b"\xff" * 24,
        np.array([0, 9**17, 0], "<i8").tobytes(),
        np.array([0, -5, 200], "<i8").tobytes(),
        b"x" * 10_000,
    ],
)
def test_a_hostile_index_is_not_believed(store: Path, index: bytes) -> None:
    expected = list(Dataset(store))
    (store / "records.idx").write_bytes(index)
    assert list(Dataset(store)) == expected


@pytest.mark.parametrize(
    "attributes", [{"a": float("nan")}, {"a": "\ud800"}, {"\udfff": 1}, {"a": float("inf")}, {"k" * 200: 1}]
)
@pytest.mark.parametrize("binary", [False, True])
def test_what_can_not_be_stored_is_refused_and_names_the_image(tmp_path: Path, attributes: dict, binary: bool) -> None:
    annotation = Annotation(label="pit", rle=rle.encode(np.eye(3)), attributes=attributes)
    record = ImageRecord(file="b.png", height=3, width=3, annotations=(annotation,))
    classes = make_classes(["pit"], source_ids=[1])
    with contextlib.suppress(DataError):
        dataset = write_dataset(tmp_path, [record], classes=classes, image_root=tmp_path, provenance={}, binary=binary)
        assert list(dataset) == [record]
        return
    with pytest.raises(DataError, match=r"^b\.png: "):
        write_dataset(tmp_path, [record], classes=classes, image_root=tmp_path, provenance={}, binary=binary)


def test_what_is_nested_too_deeply_is_refused_before_it_is_stored(tmp_path: Path) -> None:
    value: object = 1
    for _ in range(60):
        value = [value]
    record = ImageRecord(
        file="b.png",
        height=3,
        width=3,
        annotations=(Annotation(label="a", rle=rle.encode(np.eye(3)), attributes={"x": value}),),
    )
    for binary in (False, True):
        with pytest.raises(DataError, match="nested over 50 levels"):
            write_dataset(tmp_path, [record], classes=(), image_root=tmp_path, provenance={}, binary=binary)


# Settings


def _aliases() -> str:
    """Write a list of lists by reference: 9^9 elements when it is written out."""
    anchors = ["&a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    anchors += [f"&a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 9)]
    return f"train: {{batch: [{', '.join(anchors)}]}}"


YAML = {
    "a tag": ("train: {batch: !!python/object/apply:os.system [ls]}", "could not determine a constructor"),
    "a tag above": ("!!python/object/new:os.system [ls]", "must hold"),
    "a tag as key": ("train: {? !!python/name:os.system : 1}", "unknown key"),
    "NUL": ("train: {batch: \0}", "not valid YAML"),
    "a bell": ("train: {batch: '\x07'}", "not valid YAML"),
    "digits": (f"train: {{batch: {DIGITS}}}", "can't be read"),
    "brackets": ("train: {batch: " + "[" * 1_000 + "]" * 1_000 + "}", "nested too deeply"),
    "open brackets": ("[" * 10_000, "nested too deeply"),
    "no day": ("train: {batch: 2001-99-99}", "can't be read"),
    "no base64": ("train: {batch: !!binary '/'}", "base64"),
    "a circle": ("data: {defects: &x [*x]}", "recursive"),
    "a section twice": ("train: {batch: 2}\ntrain: {images: 3}", ':2  "train" is there twice; the first is in line 1'),
    "a key twice": (
        "train:\n  batch: 2\n  images: 5\n  batch: 3",
        ':4  "batch" is there twice; the first is in line 2',
    ),
    "a merge": ("train: {<<: {batch: 3}}", "unknown key '<<'"),
    "a list as key": ("train: {[1, 2]: 3}", "a key in train is not text"),
    "two documents": ("train: {batch: 1}\n---\ntrain: {batch: 2}", "another document"),
    "a megabyte": ("train: {batch: '" + "x" * 1_000_000 + "'}", "is not a whole number"),
    "a long key": ("train: {" + "x" * 1_000 + ": 1}", "unknown key"),
    "aliases": (_aliases(), "batch: a list is not a whole number"),
    "infinity": ("train: {learning_rate: .inf}", "is not a number"),
    "no number": ("model: {noise_mean: .nan}", "is not a number"),
    "a power": ("train: {weight_decay: 1e999}", "is not a number"),
    "half a character": ('train: {batch: "\\ud800"}', "is not a whole number"),
    "latin": (b"train: {batch: \xfc}", "can't be read"),
}


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", list(YAML))
def test_a_hostile_settings_file_is_refused(tmp_path: Path, name: str) -> None:
    text, says = YAML[name]
    path = tmp_path / "coigan.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_settings(file=path)
    assert says in caught.value.message
    assert len(str(caught.value)) < 1_000
    assert "coigan.yaml" in caught.value.message


def test_settings_with_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "coigan.yaml").write_bytes(b"\xef\xbb\xbftrain:\r\n  batch: 3\r\n")
    assert load_settings(file=tmp_path / "coigan.yaml").train.batch == 3


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "1e999", "9" * 400])
def test_no_setting_takes_what_is_no_finite_number(value: str) -> None:
    settings = load_settings()
    for section in ("data", "model", "train", "synthesize", "evaluate", "log"):
        for key, found in vars(getattr(settings, section)).items():
            if isinstance(found, float):
                with pytest.raises(ConfigError):
                    load_settings(overrides=[f"{section}.{key}={value}"])


# The split


@pytest.mark.parametrize("name", ["", "\ud800", "\0", "x" * 10_000, "../../etc"])
def test_groups_of_any_name_are_split(name: str) -> None:
    split = split_groups([name, name, "b", "c"], np.ones((4, 1), np.int64), share=0.5, seed=0)
    assert split[0] == split[1]
    assert set(split) == {"train", "test"}
