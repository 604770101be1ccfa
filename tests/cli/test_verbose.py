"""--verbose and the log of long commands, as typed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.calling import call

MAKE = ["synthesize", "--per-class", "1", "--engine", "transplant", "--no-screen"]


@pytest.mark.usefixtures("bare_pages")
def test_verbose_says_what_was_kept_and_which_settings_are_used_and_changes_no_file(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, plain = call(capsys, monkeypatch, *MAKE, "--out", "made")
    assert code == 0, plain
    files = {path: path.read_bytes() for path in Path("made").rglob("*") if path.is_file()}
    code, _, said = call(capsys, monkeypatch, *MAKE, "--out", "made", "--verbose", "--overwrite")
    assert code == 0, said
    for line in (
        "data set: coigan/dataset",
        "objects: kept in coigan/cache/objects-",
        "generator: ",
        "request: ",
    ):
        assert line in said and line not in plain
    assert re.search(r"reading images: \d+\.\d\d s", said)
    for path, data in files.items():
        if path.name not in ("card.json", "preview.html"):  # these two name the command, and so --overwrite
            assert path.read_bytes() == data, path
    assert b"--verbose" not in Path("made/card.json").read_bytes()
    logs = sorted(Path("coigan/logs").glob("*-synthesize.log"))
    text = logs[-1].read_text()
    assert "objects: kept in coigan/cache/objects-" in text and "ended with exit code 0" in text


def test_an_unexpected_error_names_the_log_in_which_it_is(
    drawable: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **more: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("coigan_aug.stages.synthesize.make_set", broken)
    code, _, err = call(capsys, monkeypatch, *MAKE, "--out", "made")
    assert code == 1
    (path,) = Path("coigan/logs").glob("*-synthesize.log")
    assert f"This is a bug in coigan-aug. The details are in {path}: please report them." in err
    assert "ZeroDivisionError: inside" in path.read_text()


def test_a_command_in_a_folder_without_a_workspace_makes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COIGAN_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert call(capsys, monkeypatch, "import", "nowhere.csv")[0] == 3
    assert not list(tmp_path.iterdir())


def test_inspect_and_convert_keep_a_log_where_there_is_a_workspace(
    drawable: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coigan_aug.stages.inspect.write_inspection", lambda *arguments: None)
    for name, typed in (
        ("inspect", ["inspect"]),
        ("convert", ["convert", "coigan", str(tmp_path / "out"), "--to", "coco"]),
    ):
        code, _, err = call(capsys, monkeypatch, *typed)
        assert code == 0, err
        (path,) = Path("coigan/logs").glob(f"*-{name}.log")
        text = path.read_text()
        assert f"coigan-aug {name}" in text and "ended with exit code 0" in text
        detail = next(line for line in text.splitlines() if "request: " in line)
        assert detail.partition("request: ")[2] not in err
    code, _, err = call(capsys, monkeypatch, "convert", "coigan", str(tmp_path / "again"), "--to", "coco", "--verbose")
    assert code == 0 and "request: " in err


def test_the_demo_keeps_its_log_in_its_own_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **more: object) -> None:
        Path("shown/coigan").mkdir(parents=True)
        raise ZeroDivisionError("inside")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("coigan_aug.demo.demo.run_demo", broken)
    code, _, err = call(capsys, monkeypatch, "demo", "--out", "shown")
    (path,) = Path("shown/coigan/logs").glob("*-demo.log")
    assert code == 1 and f"The details are in {path}" in err
    assert "ZeroDivisionError: inside" in path.read_text() and "request: out=shown" in path.read_text()


def test_quiet_and_verbose_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(capsys, monkeypatch, "train", "--quiet", "--verbose")
    assert (code, err) == (2, "  --quiet and --verbose exclude each other.\n  Leave one of them out.\n")
