"""How a command ends: one table from errors to messages and exit codes."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coigan_aug import __version__
from coigan_aug.errors import CoiganError, ResourceError, exit_code_of, memory_ran_out
from coigan_aug.log import end_log, end_logged, log_file
from coigan_aug.progress import say


def run(command: Callable[..., Any]) -> int:
    """Run a command and return its exit code: 0 done, 1 a bug, 2 usage, 3 data, 4 environment, 5 resources, 6 gate, 130/143."""
    try:
        return _ended(command)
    finally:
        end_log()


def _ended(command: Callable[..., Any]) -> int:
    try:
        with end_logged():
            command()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except CoiganError as error:
        for line in str(error).splitlines():
            say(line)
        return exit_code_of(error)
    except ImportError as error:
        return _explain_import(error)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("  Interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        return _explain_system(error)
    return 0


_LESS_MEMORY = {
    "train": "Use a smaller --set train.batch or --set data.window.",
    "synthesize": "Use --set synthesize.batch=1 --set synthesize.workers=0, or --windows for large images.",
    "draw": "Cut the image to the surroundings of the defects.",
    "evaluate": "Use --jobs 1 or a smaller --set evaluate.batch, or close other programs.",
    "export-model": "Use a smaller --size, or close other programs.",
}
_FEWER = "Close other programs, or take fewer or smaller images at a time."


def _explain_system(error: Exception) -> int:
    """Say what mends an error of the system, memory or disk, that no stage has put into words (5); others are bugs (1)."""
    if memory_ran_out(error):
        advice = _LESS_MEMORY.get("".join(sys.argv[1:2]), _FEWER)
        print(f"  Out of memory. {advice}", file=sys.stderr)
        return ResourceError.exit_code
    if isinstance(error, OSError):
        from coigan_aug.files import disk_error

        known = disk_error(Path(str(error.filename or "a file")), error)
        if isinstance(error, PermissionError):  # of reading or of writing: nobody knows here
            known = ResourceError(f"{error.filename}: {error.strerror}.", remedy="See who may read and write it: ls -l")
        if isinstance(known, CoiganError):
            for line in str(known).splitlines():
                say(line)
            return exit_code_of(known)
    return _report_bug()


def _report_bug() -> int:
    path = log_file() or _own_file()
    print(f"  This is a bug in coigan-aug. The details are in {path}: please report them.", file=sys.stderr)
    if os.environ.get("COIGAN_DEBUG"):
        traceback.print_exc()
    return 1


def _own_file() -> Path:
    """Write what happened into a temporary file: the command keeps no log, or none could be written."""
    with tempfile.NamedTemporaryFile("w", prefix="coigan-aug-", suffix=".log", delete=False) as stream:
        stream.write(f"coigan-aug {__version__}, Python {sys.version}, {sys.platform}, {sys.argv}\n\n")
        traceback.print_exc(file=stream)
    return Path(stream.name)


def _explain_import(error: ImportError) -> int:
    """Say what mends an import that fails because of how the machine is set up (4); anything else is a bug (1)."""
    text = str(error)
    if "libGL" in text or "libxcb" in text or "libgthread" in text or "libglib" in text:
        print(f"  OpenCV can't load a system library: {text}.", file=sys.stderr)
        print("  apt-get install -y libgl1 libglib2.0-0   or   pip install opencv-python-headless", file=sys.stderr)
        return 4
    if "torch" in text or "torchvision" in text:
        print(f"  torch and torchvision can't be loaded: {text}.", file=sys.stderr)
        print("  pip install --force-reinstall torch torchvision", file=sys.stderr)
        return 4
    return _report_bug()
