"""What the system does to us: two commands at once, a limit of the disk or of memory, files that a kill left behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coigan_aug.checkpoint import load_generator
from coigan_aug.cli import main
from coigan_aug.data import importing
from coigan_aug.data.importing import import_dataset
from coigan_aug.errors import ResourceError, UsageError
from coigan_aug.files import atomic_write, folder_lock, read_text, write_bytes
from coigan_aug.imaging import write_image
from coigan_aug.store.dataset import Dataset
from tests.cli.calling import call

CSV = "ImageId,ClassId,EncodedPixels\n"
ALLOCATOR = "[enforce fail] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."


@pytest.fixture
def source(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for k in range(6):
        write_image(tmp_path / "train_images" / f"{k}.png", random.integers(0, 255, (20, 30)).astype(np.uint8))
    rows = "".join(f"{k}.png,1,1 30 61 20\n" for k in range(3))
    (tmp_path / "train.csv").write_text(CSV + rows)
    return tmp_path / "train.csv"


def test_an_import_beside_another_into_one_folder_is_refused(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, refused = importing.group_images, []

    def meanwhile(*args: object, **options: object) -> list[str]:
        if not refused:
            refused.append(None)
            with pytest.raises(UsageError, match=f"in use by process {os.getpid()}") as told:
                import_dataset(source, tmp_path / "out", group_by="none", overwrite=True)
            refused.append(told.value)
        return group(*args, **options)

    monkeypatch.setattr(importing, "group_images", meanwhile)
    import_dataset(source, tmp_path / "out", group_by="none")
    assert len(refused) == 2
    assert len(Dataset(tmp_path / "out")) == 6


def test_an_import_that_began_before_another_ended_does_not_replace_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = importing.open_source

    def late(*args: object, **options: object) -> object:
        monkeypatch.setattr(importing, "open_source", opening)
        import_dataset(source, tmp_path / "out", group_by="none", command="the first")
        return opening(*args, **options)

    monkeypatch.setattr(importing, "open_source", late)
    with pytest.raises(UsageError, match="already holds 6 images"):
        import_dataset(source, tmp_path / "out", group_by="none", command="the second")
    assert Dataset(tmp_path / "out").manifest["provenance"]["command"] == "the first"


def _ended() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_what_a_killed_process_left_is_removed_by_the_next_that_takes_the_lock(tmp_path: Path) -> None:
    dead, machine = _ended(), importing_machine()
    left = [f".pixels.bin.{dead}.tmp", f"deep/.a.png.{dead}-{machine}.tmp"]
    living = [f".b.{os.getpid()}-{machine}.tmp", f".c.{dead}-00000000.tmp", ".d.tmp", f"e.{dead}.txt"]
    for name in (*left, *living):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with folder_lock(tmp_path):
        assert not any((tmp_path / name).exists() for name in left)
        assert all((tmp_path / name).exists() for name in living)
    os.utime(tmp_path / living[1], (0, 0))
    with folder_lock(tmp_path):
        assert not (tmp_path / living[1]).exists(), "of another machine, and days old"


def importing_machine() -> str:
    """Return what temporary files of this machine are marked with: read off one."""
    with atomic_write(Path("probe").resolve()) as stream:
        name = Path(stream.name).name
    Path("probe").unlink()
    return name.rpartition("-")[2].removesuffix(".tmp")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)


def test_a_folder_made_for_work_that_fails_is_gone_again(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert not (tmp_path / "a").exists()
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path / "a"):
        (tmp_path / "a" / "kept").touch()
        raise ZeroDivisionError
    assert (tmp_path / "a" / "kept").exists()


def test_a_file_that_grows_beyond_the_limit_is_told(tmp_path: Path) -> None:
    """A limit of 4 KB, as `ulimit -f` and some disks have one (of 4 GB)."""
    code = (
        "import resource, sys\nfrom pathlib import Path\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from coigan_aug.files import write_bytes\nfrom coigan_aug.errors import ResourceError\n"
        "try:\n    write_bytes(Path('large.bin'), bytes(9999))\nexcept ResourceError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert "large.bin grew larger than a file may be here" in said
    assert "ulimit -f" in said
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        ("import", "fewer or smaller"),
        ("train", "train.batch"),
        ("synthesize", "synthesize.batch"),
        ("evaluate", "--jobs"),
    ],
)
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(ALLOCATOR)])
def test_memory_that_runs_out_gets_advice_for_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str, advice: str, error: Exception
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["coigan-aug", command])
    assert main.run(fails) == 5
    said = capsys.readouterr().err
    assert "Out of memory." in said
    assert advice in said


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "No space left"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EACCES, "ls -l"),
        (errno.EROFS, "Can't write"),
    ],
)
def test_an_error_of_the_disk_that_no_stage_words_is_worded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fails() -> None:
        raise OSError(number, os.strerror(number), "coigan/runs/001-tiny")

    monkeypatch.setattr(sys, "argv", ["coigan-aug", "train"])
    assert main.run(fails) == 5
    said = capsys.readouterr().err
    assert "coigan/runs/001-tiny" in said
    assert words in said


def test_a_folder_that_can_not_be_written_to_is_named(tmp_path: Path) -> None:
    """A file in the way does to root what a missing permission does to others."""
    (tmp_path / "coigan").write_bytes(b"")
    with pytest.raises(ResourceError, match="Can't write"), folder_lock(tmp_path / "coigan" / "dataset"):
        pass


def test_memory_that_runs_out_while_weights_are_read_is_not_called_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **options: object) -> None:
        raise RuntimeError(ALLOCATOR)

    write_bytes(tmp_path / "g.safetensors", b"x")
    monkeypatch.setattr("coigan_aug.weights.safe_open", fails)
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        load_generator(tmp_path / "g.safetensors")


def test_changes_by_hand_are_told_and_taken_where_that_is_asked_for(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "coigan" / "dataset"
    import_dataset(source, folder, group_by="none")
    before = Dataset(folder).manifest["sha256"]
    records = folder / "records.jsonl"
    records.write_text(read_text(records).replace('"1"', '"scratch"', 1))
    manifest = folder / "dataset.json"
    manifest.write_text(read_text(manifest).replace('"name": "1"', '"name": "scratch"'))
    records.write_text(read_text(records).replace('"1"', '"scratch"'))
    write_image(tmp_path / "train_images" / "5.png", np.full((20, 30), 9, np.uint8))
    code, _, said = call(capsys, monkeypatch, "inspect")
    assert code == 3
    assert "dataset.json is not as it was written" in said
    assert "--accept-changes" in said
    code, out, said = call(capsys, monkeypatch, "inspect", "--accept-changes", "--json")
    assert code == 0
    for name in ("dataset.json", "records.jsonl", "5.png"):
        assert f"{name}: taken as it is now" in said
    assert '"scratch"' in out
    dataset = Dataset(folder)
    assert dataset.manifest["sha256"] != before
    assert [record.file for record in dataset if dataset.change_of(int(record.file[0]))] == []
    _, _, said = call(capsys, monkeypatch, "inspect", "--accept-changes")
    assert "taken as it is now" not in said


def test_an_image_that_was_replaced_is_an_error_of_an_inspection(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import_dataset(source, tmp_path / "coigan" / "dataset", group_by="none")
    write_image(tmp_path / "train_images" / "5.png", np.full((20, 30), 9, np.uint8))
    code, _, said = call(capsys, monkeypatch, "inspect", "--strict")
    assert code == 6
    assert "is not the one that was imported" in said
