"""Damage at rest: a bit of any file of ours flips, or it is cut off. It is told, or made anew; never another result in silence.

Each file is read whole, and what was read is compared with what it was: a bit that changes nothing has no meaning.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import to_builtins

from coigan_aug.checkpoint import load_generator, load_latest, save_generator, save_state
from coigan_aug.errors import CoiganError, exit_code_of
from coigan_aug.models.build import build_generator
from coigan_aug.prepare.cache import open_cache
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.sealed import read_sealed
from coigan_aug.settings import Settings
from coigan_aug.store.dataset import Dataset
from coigan_aug.synthesis.rows import read_rows
from coigan_aug.training.run import Run, read_metrics
from coigan_aug.weights import read_weights, weights_bytes
from tests.conftest import CLASSES
from tests.faults.kept import COUNTS, IMAGES, KINDS, Kept, data_set, files_of, generator, outcome_of, run_of, synthetic
from tests.thorough import tries

SAMPLED = tries(96)
"""Bits of each file that are flipped, beside all of its last bytes, where the checksum stands."""
LAST = 36


@pytest.fixture(scope="module", params=KINDS)
def kept(
    request: pytest.FixtureRequest, toy: Dataset, small: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Kept:
    return KINDS[request.param](tmp_path_factory.mktemp("rest"), toy, small)


def _places(data: bytes, seed: str) -> Iterator[tuple[int, int]]:
    """Yield the bytes and bits to flip: those at the end, and as many others as are sampled."""
    draw = random.Random(seed)
    body = max(len(data) - LAST, 0)
    last = [(at, bit) for at in range(body, len(data)) for bit in draw.sample(range(8), tries(3))]
    yield from last
    every = [(at, bit) for at in range(min(body, 4000)) for bit in range(8)]
    yield from draw.sample(every, min(SAMPLED, len(every)))
    yield from ((draw.randrange(body), draw.randrange(8)) for _ in range(SAMPLED if body > 4000 else 0))


def test_a_flipped_bit_is_told_or_made_good(kept: Kept, record_property: Callable[[str, object], None]) -> None:
    before, table = kept.read(), {}
    for path in files_of(kept):
        data = path.read_bytes()
        counts = Counter[str]()
        for at, bit in _places(data, path.name):
            damaged = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
            outcome = outcome_of(kept, path, damaged, before)
            counts[outcome] += 1
        table[path.name] = counts
    record_property("table", {name: dict(counts) for name, counts in table.items()})
    unseen = {name: dict(counts) for name, counts in table.items() if any("unseen" in key for key in counts)}
    assert not unseen
    assert sum(counts["told"] + counts["rebuilt"] for counts in table.values()) > 0.4 * sum(
        counts.total() for counts in table.values()
    )


def test_a_file_that_is_cut_off_is_told_or_made_good(kept: Kept) -> None:
    before = kept.read()
    for path in files_of(kept):
        data = path.read_bytes()
        for length in {0, 1, len(data) // 3, len(data) // 2, len(data) - 1}:
            if path.suffix == ".jsonl" and path.name != "records.jsonl":
                continue  # a log may be torn by a kill, and lines may be taken out of a plan: what is whole counts
            assert "unseen" not in outcome_of(kept, path, data[:length], before), f"{path.name} cut to {length}"


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[1]\n", b'"x"\n', b"\xff\xfe\n",
        b"[" * 5000 + b"\n", b'{"images": NaN}\n', b'{"images": 1e400}\n', b'{"kid": 1}\n',
        b'{"images": "many"}\n', b'{"images": [1]}\n', b"9" * 5000 + b"\n", b"\n",
    ],
)  # fmt: skip
def test_a_broken_line_of_the_metrics_is_told_with_its_number(tmp_path: Path, line: bytes) -> None:
    run = Run(tmp_path)
    run.metrics.write_bytes(b'{"images": 4, "kid": 0.5}\n' + line + b'{"images": 8}\n')
    with pytest.raises(CoiganError, match=r"metrics\.jsonl:2 is damaged") as told:
        list(read_metrics(run))
    assert exit_code_of(told.value) == 3
    assert "delete the line" in told.value.remedy


PLANNED = {
    "number": 1, "base": "a.png", "region": [0, 0, 8, 8],
    "defects": [{"class": "spot", "size": [8, 8], "counts": COUNTS, "contrast": 0.5, "warp": [1, 0, 0, 0, 1, 0]}],
}  # fmt: skip


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity", '"nan"', "[" * 3000 + "]" * 3000, "9" * 400, "1e300"])
@pytest.mark.parametrize("key", ["contrast", "warp", "number", "seed", "region", "size", "of", "class", "further"])
def test_numbers_that_are_none_in_a_plan_are_told(tmp_path: Path, key: str, number: str) -> None:
    value: dict[str, Any] = json.loads(json.dumps(PLANNED))
    where = value["defects"][0] if key in ("contrast", "warp", "size", "of", "class", "further") else value
    where[key] = "HERE"
    text = json.dumps(value).replace('"HERE"', f"[{number}, 0, 0, 0, 1, 0]" if key == "warp" else number)
    (tmp_path / "plan.jsonl").write_text(text + "\n")
    harmless = key == "further" and number in ('"nan"', "1e300", "9" * 400)
    with (
        contextlib.nullcontext()
        if harmless or (key in ("of", "class") and number == '"nan"')
        else pytest.raises(CoiganError, match=r"plan\.jsonl:1") as told
    ):
        assert len(list(read_rows(tmp_path / "plan.jsonl"))) == 1
    if told is not None:
        assert exit_code_of(told.value) == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("settings", []), ("settings", {"model": 3}), ("classes", 5), ("classes", [1]), ("images", "many"), ("images", -1),
        ("images", 1 << 70), ("classes", [{"name": 1, "colour": [1, 2, 3], "source_id": 0}]), ("settings", None),
        ("classes", []), ("classes", [{"name": "a", "colour": 7, "source_id": 0}]),
    ],
)  # fmt: skip
def test_wrong_types_in_a_generators_metadata_are_told(
    tmp_path: Path, small: Settings, key: str, value: object
) -> None:
    network = build_generator(small.model, len(CLASSES))
    path = tmp_path / "generator.safetensors"
    save_generator(path, network, settings=small, classes=CLASSES, images=24)
    about, tensors = read_weights(path, "coigan-aug")
    path.write_bytes(weights_bytes(tensors, "coigan-aug", json.dumps(about | {key: value})))
    with pytest.raises(CoiganError, match=r"generator\.safetensors") as told:
        load_generator(path)
    assert exit_code_of(told.value) == 3


def test_files_of_earlier_versions_without_checksums_still_open(tmp_path: Path, toy: Dataset, small: Settings) -> None:
    data, made_set, run = (tmp_path / name for name in ("data", "set", "run"))
    for folder in (data, made_set, run):
        folder.mkdir()
    made = [data_set(data, toy), synthetic(made_set), run_of(run), generator(tmp_path, small)]
    before = [kept.read() for kept in made]
    (data / "images.crc").unlink()
    (data / "records.crc").unlink()
    for path in tmp_path.rglob("*.json*"):
        if path.name == "records.jsonl":
            continue
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        values = [{key: item for key, item in json.loads(line).items() if key != "crc32"} for line in lines]
        path.write_text("".join(json.dumps(value) + "\n" for value in values))
    about, tensors = read_weights(tmp_path / "generator.safetensors", "coigan-aug")
    from safetensors.torch import save_file

    save_file(tensors, tmp_path / "generator.safetensors", metadata={"coigan-aug": json.dumps(about)})
    assert [kept.read() for kept in made] == before


def test_two_states_of_one_number_are_ordered_by_what_is_in_them(tmp_path: Path) -> None:
    """The one that was measured since is newer, whatever their hashes."""
    for k in range(8):
        folder = tmp_path / str(k)
        for measured in (16, 0) if k % 2 else (0, 16):
            save_state(folder, {"images": 16, "measured": measured, "k": k}, images=16, measured=measured, keep=2)
        state, _ = load_latest(folder)
        assert state is not None
        assert state["measured"] == 16


def test_a_prepared_data_set_whose_image_was_replaced_is_told(toy: Dataset, tmp_path: Path, prepared: Prepared) -> None:
    """By its content where it is as long as before, by its length else; a cache of the old pixels does not hide it."""
    kept = data_set(tmp_path, toy)
    dataset = Dataset(tmp_path)
    open_cache(dataset, [0, 1], scale=0.5, root=tmp_path / "cache")
    image = dataset.image_path(1)
    data = image.read_bytes()
    other = np.array(bytearray(data))
    for content, said in ((dataset.image_path(2).read_bytes(), "bytes, then"), (data + b"x", "bytes, then")):
        image.write_bytes(content)
        for read in (
            lambda: Dataset(tmp_path).image(1),
            lambda: open_cache(Dataset(tmp_path), [0, 1], scale=0.5, root=tmp_path / "cache"),
            kept.read,
        ):
            with pytest.raises(CoiganError, match=said) as told:
                read()
            assert "--accept-changes" in told.value.remedy
    assert len(other) == len(data)
    assert to_builtins(read_sealed(tmp_path / "dataset.json"))["records"] == IMAGES
