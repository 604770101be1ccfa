"""A Dataset gives back what was written, in any order, after any accident."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import pickle
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pbjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coigan_aug.annotations import rle
from coigan_aug.annotations.records import Annotation, DefectClass, ImageRecord
from coigan_aug.errors import DataError
from coigan_aug.imaging import write_image
from coigan_aug.sealed import read_sealed, write_sealed
from coigan_aug.store import packed
from coigan_aug.store.dataset import Dataset, record_from, record_to
from coigan_aug.store.index import scan_binary, scan_text
from coigan_aug.store.writer import write_dataset
from tests.thorough import tries

CLASSES = (DefectClass(name="a", colour=(1, 2, 3), source_id=7), DefectClass(name="b ö", colour=(4, 5, 6)))
NAMES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"), max_size=4)


@st.composite
def records(draw: st.DrawFn) -> list[ImageRecord]:
    made = []
    for k in range(draw(st.integers(0, 6))):
        height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
        masks = draw(st.lists(st.binary(min_size=height * width, max_size=height * width), max_size=3))
        annotations = tuple(
            Annotation(
                label=draw(st.sampled_from(["a", "b ö"])),
                rle=rle.encode(np.frombuffer(data, np.uint8).reshape(height, width) % 2),
                attributes=draw(st.dictionaries(st.text(max_size=3), st.integers(-5, 10**12), max_size=2)),
            )
            for data in masks
        )
        name = f"{k}-{draw(NAMES)}"
        made.append(
            ImageRecord(file=name, height=height, width=width, annotations=annotations, group=name[:2], split="train")
        )
    return made


@given(records=records(), binary=st.booleans(), order=st.randoms())
@settings(max_examples=tries(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_records_come_back_in_any_order_and_without_the_index(
    tmp_path_factory: pytest.TempPathFactory, records: list[ImageRecord], binary: bool, order: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("store")
    dataset = write_dataset(folder, records, classes=CLASSES, image_root=folder, provenance={"x": 1}, binary=binary)
    positions = list(range(len(records)))
    order.shuffle(positions)
    assert {k: dataset[k] for k in positions} == dict(enumerate(records))
    assert dataset.classes == CLASSES
    (folder / "records.idx").unlink()
    assert list(Dataset(folder)) == records


@given(records=records().filter(bool), binary=st.booleans(), share=st.floats(0, 1))
@settings(max_examples=tries(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_prefix_of_the_records_gives_its_longest_run_of_whole_records(
    tmp_path_factory: pytest.TempPathFactory, records: list[ImageRecord], binary: bool, share: float
) -> None:
    folder = tmp_path_factory.mktemp("store")
    write_dataset(folder, records, classes=CLASSES, image_root=folder, provenance={}, binary=binary)
    data = (folder / "records.jsonl").read_bytes()
    whole = np.fromfile(folder / "records.idx", "<i8")
    cut = int(share * len(data))
    (folder / "torn").write_bytes(data[:cut])
    found = (scan_binary if binary else scan_text)(folder / "torn")
    assert found.tolist() == whole[whole <= cut].tolist()


@given(records=records())
@settings(max_examples=tries(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_and_packed_binary_give_the_same_records(
    tmp_path_factory: pytest.TempPathFactory, records: list[ImageRecord]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    text, packed = (
        write_dataset(
            folder / name, records, classes=CLASSES, image_root=folder, provenance={}, binary=name == "packed"
        )
        for name in ("text", "packed")
    )
    assert list(text) == list(packed)
    assert text.classes == packed.classes
    assert [text.image_path(k) for k in range(len(text))] == [packed.image_path(k) for k in range(len(packed))]


@pytest.mark.parametrize(("fast", "said"), [(True, 0), (False, 1)])
def test_a_slow_pbjson_is_told_once_with_a_remedy(
    toy: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fast: bool,
    said: int,
) -> None:
    monkeypatch.setattr("pbjson._has_encoder_speedups", lambda: fast)
    packed._say_if_slow.cache_clear()
    found = write_dataset(
        tmp_path, list(toy), classes=toy.classes, image_root=toy.image_root, provenance={}, binary=True
    )
    assert list(found) == list(toy)
    text = capsys.readouterr().err
    assert text.count("14 times slower") == said
    assert text.count("pip install --force-reinstall --no-cache-dir pbjson") == said
    packed._say_if_slow.cache_clear()


def test_the_pbjson_flag_that_is_asked_exists() -> None:
    assert isinstance(pbjson._has_encoder_speedups(), bool)


@pytest.mark.parametrize("number", [10**400, 2**63, -(2**70), 0.1, 1e-320])
def test_any_number_in_a_record_is_read(tmp_path: Path, number: float) -> None:
    record = ImageRecord(file="a", height=2, width=2, source={"id": number})
    dataset = write_dataset(tmp_path, [record], classes=CLASSES, image_root=tmp_path, provenance={})
    assert dataset[0] == record


def test_records_that_were_cut_off_are_not_opened_in_silence(toy_copy: Path) -> None:
    path = toy_copy / "records.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match="11 whole records, 12 are expected"):
        Dataset(toy_copy)


@pytest.fixture
def toy_copy(toy: Dataset, tmp_path: Path) -> Path:
    for path in toy.folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_a_folder_without_its_manifest_is_no_data_set(toy_copy: Path) -> None:
    (toy_copy / "dataset.json").unlink()
    with pytest.raises(DataError, match="holds no data set"):
        Dataset(toy_copy)


def test_another_format_version_is_refused(toy_copy: Path) -> None:
    manifest = read_sealed(toy_copy / "dataset.json")
    write_sealed(toy_copy / "dataset.json", manifest | {"format_version": 99})
    with pytest.raises(DataError, match="format version 99"):
        Dataset(toy_copy)


def test_a_stale_index_is_not_believed(toy_copy: Path, toy: Dataset) -> None:
    offsets = np.fromfile(toy_copy / "records.idx", "<i8")
    offsets[-1] += 5
    offsets.tofile(toy_copy / "records.idx")
    assert list(Dataset(toy_copy)) == list(toy)


@given(records=records().filter(bool), binary=st.booleans())
@settings(max_examples=tries(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_checksums_are_those_of_the_records_bytes(
    tmp_path_factory: pytest.TempPathFactory, records: list[ImageRecord], binary: bool
) -> None:
    folder = tmp_path_factory.mktemp("store")
    write_dataset(folder, records, classes=CLASSES, image_root=folder, provenance={}, binary=binary)
    data, offsets = (folder / "records.jsonl").read_bytes(), np.fromfile(folder / "records.idx", "<i8")
    expected = [_crc32(data[start:end]) for start, end in itertools.pairwise(offsets)]
    assert np.fromfile(folder / "records.crc", "<u4").tolist() == expected


def _crc32(data: bytes) -> int:
    """The CRC-32 of ISO 3309, bit by bit."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest ^= byte
        for _ in range(8):
            rest = rest >> 1 ^ (0xEDB88320 if rest & 1 else 0)
    return rest ^ 0xFFFFFFFF


@pytest.mark.parametrize("checksums", [b"", b"\0" * 48, b"\xff" * 48, b"x" * 10_000, None])
def test_records_without_their_checksums_are_read_as_well(
    toy_copy: Path, toy: Dataset, checksums: bytes | None
) -> None:
    path = toy_copy / "records.crc"
    path.unlink() if checksums is None else path.write_bytes(checksums)
    assert list(Dataset(toy_copy)) == list(toy)


@pytest.mark.parametrize("checksums", [True, False])
def test_a_mask_that_was_changed_in_the_file_is_refused(toy_copy: Path, checksums: bool) -> None:
    path = toy_copy / "records.jsonl"
    before = path.read_bytes()
    found = re.search(rb'"counts": ?"', before)
    assert found
    at = found.end()
    path.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
    if not checksums:
        (toy_copy / "records.crc").unlink()
    position = before[:at].count(b"\n")
    with pytest.raises(DataError, match=f"{f'record {position}' if checksums else 'a record'} is damaged") as told:
        Dataset(toy_copy)[position]
    assert f"coigan-aug inspect {toy_copy} --accept-changes" in told.value.remedy


def test_a_mask_that_does_not_fit_its_image_is_not_stored(tmp_path: Path) -> None:
    record = ImageRecord(
        file="b.png", height=3, width=3, annotations=(Annotation(label="pit", rle=rle.Rle(3, 3, "8")),)
    )
    with pytest.raises(DataError, match=r"b\.png.*do not add up to 3 x 3"):
        write_dataset(tmp_path, [record], classes=CLASSES, image_root=tmp_path, provenance={})


def _first(dataset: Dataset, answers: object) -> None:
    answers.put(dataset[1])  # type: ignore[attr-defined]


def test_a_dataset_is_pickled_as_its_folder_and_works_in_another_process(toy: Dataset) -> None:
    assert len(pickle.dumps(toy)) < 500
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    child = context.Process(target=_first, args=(toy, answers))
    child.start()
    assert answers.get(timeout=60) == toy[1]
    child.join()


def test_image_and_masks_have_the_records_size(toy: Dataset) -> None:
    assert toy.image(0).shape == (72, 96, 3)
    masks = toy.masks(0)
    assert sorted(masks) == ["line", "spot"]
    assert masks["spot"].shape == (72, 96)
    assert masks["spot"].sum() == rle.area(toy[0].annotations[0].rle)


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", np.zeros((4, 5), np.uint8))
    record = ImageRecord(file="x.png", height=5, width=4)
    dataset = write_dataset(tmp_path / "d", [record], classes=CLASSES, image_root=tmp_path, provenance={})
    with pytest.raises(DataError, match="4 x 5 pixels, its record says 5 x 4"):
        dataset.image(0)


def test_record_values_are_plain_json() -> None:
    record = ImageRecord(file="a", height=2, width=2, annotations=(Annotation(label="a", rle=rle.encode(np.eye(2))),))
    assert record_from(json.loads(json.dumps(record_to(record)))) == record


@pytest.mark.parametrize("binary", [False, True])
def test_void_comes_back_and_a_flipped_bit_of_it_is_told(tmp_path: Path, binary: bool) -> None:
    void = rle.encode(np.eye(5, 4))
    mask = Annotation(label="a", rle=rle.encode(np.eye(5, 4, 1)))
    records = [
        ImageRecord(file="a.png", height=5, width=4, annotations=(mask,), void=void),
        ImageRecord(file="b.png", height=5, width=4),
    ]
    dataset = write_dataset(tmp_path, records, classes=CLASSES, image_root=tmp_path, provenance={}, binary=binary)
    assert list(dataset) == records
    assert b"void" not in json.dumps(record_to(records[1])).encode(), "what is not there is not written"
    path = tmp_path / "records.jsonl"
    data = bytearray(path.read_bytes())
    data[data.index(void.counts.encode())] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="record 0 is damaged"):
        Dataset(tmp_path)[0]


def test_void_on_a_mask_or_of_another_size_is_no_record(tmp_path: Path) -> None:
    whole, part = rle.encode(np.ones((2, 3))), rle.encode(np.array([[1, 1, 0], [0, 0, 0]]))
    wrong = ImageRecord(file="a.png", height=2, width=3, annotations=(Annotation(label="a", rle=part),), void=whole)
    with pytest.raises(DataError, match="void pixels lie on its masks"):
        write_dataset(tmp_path, [wrong], classes=CLASSES, image_root=tmp_path, provenance={})
    with pytest.raises(ValueError, match="void pixels lie on its masks"):
        record_from(record_to(wrong))
    with pytest.raises(ValueError, match="do not add up"):
        record_from({"file": "a.png", "size": [2, 3], "annotations": [], "void": rle.encode(np.ones((3, 3))).counts})


def test_records_are_read_without_opencv_and_torch(tmp_path: Path) -> None:
    """Loading them takes longer, and twice the memory, than reading twelve thousand records does."""
    code = (
        "import pathlib, sys\nfrom coigan_aug.store.dataset import Dataset\n"
        "print(len(list(Dataset(pathlib.Path(sys.argv[1])))), sorted({'cv2', 'torch', 'PIL'} & set(sys.modules)))"
    )
    write_image(tmp_path / "a.png", np.zeros((4, 6), np.uint8))
    void, mask = rle.from_runs(4, 6, [0, 2, 22]), rle.from_runs(4, 6, [4, 2, 18])
    record = ImageRecord(file="a.png", height=4, width=6, annotations=(Annotation(label="a", rle=mask),), void=void)
    write_dataset(tmp_path / "set", [record], classes=CLASSES, image_root=tmp_path, provenance={})
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "set"], capture_output=True, text=True, check=False)
    assert done.stdout == "1 []\n", done.stderr
