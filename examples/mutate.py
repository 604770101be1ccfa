"""Put small faults into the code, one at a time, and see whether the tests of the faulty module notice.

    python examples/mutate.py compose places prepare --count 25 --results mutants.json
    python examples/mutate.py compose places prepare --count 25 --results mutants.json --again

Faults are sampled by folder from all that the kinds below give, with a seed. Each is put into a copy of the working tree;
there the fast tests that name the module run, those of its own folder first, until one fails. Results are kept after each
fault, so a run that was stopped goes on; `--again` runs those anew that survived, after tests were added.

The tests run in forks of one process that has torch and OpenCV imported already: a fault costs what its tests cost.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import difflib
import functools
import importlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "CI": "1"}
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # so that hypothesis can be imported before pytest starts
IMPORTED = ("cv2", "torch", "torchvision", "pytest", "hypothesis.strategies", "hypothesis.extra.numpy", "pycocotools.mask",
            "PIL.Image", "scipy.linalg", "sklearn.metrics", "efficientnet_lite_pytorch", "torch_fidelity", "yaml", "msgspec",
            "safetensors.torch", "typer", "rich.console")  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent
COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
OPERATED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.FloorDiv: ast.Mult}
SWAPPED = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "amin": "amax", "amax": "amin",
           "any": "all", "all": "any", "floor": "ceil", "ceil": "floor"}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One expression of a file, by its place in it, and what stands there instead."""

    path: str
    line: int
    start: tuple[int, int]
    end: tuple[int, int]
    kind: str
    new: str

    @property
    def key(self) -> str:
        return f"{self.path}:{self.start[0]}:{self.start[1]}:{self.kind}:{self.new}"


def faults_of(path: str, source: str) -> list[Fault]:
    """Return all the small faults that a module can have; messages, annotations, decorators and docstrings have none."""
    found: list[Fault] = []

    def visit(node: ast.AST, parent: ast.AST) -> None:
        if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom, ast.Assert)):
            return
        if isinstance(node, ast.expr):
            for kind, new in _instead(node, parent):
                start, end = (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)
                found.append(Fault(path, node.lineno, start, end, kind, f"({ast.unparse(new)})"))
        skipped = {"annotation", "returns", "decorator_list", "bases"}
        for name, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and name not in skipped:
                    visit(child, node)

    visit(ast.parse(source), ast.Module([], []))
    return found


def _instead(node: ast.expr, parent: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the kinds of faults that an expression can have, and what it becomes."""
    if isinstance(node, ast.Constant):
        yield from _other_constant(node, parent)
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        yield "comparison", _changed(node, ops=[COMPARED[type(node.ops[0])](), *node.ops[1:]])
    elif isinstance(node, ast.BinOp):
        if type(node.op) in OPERATED:
            yield "operator", _changed(node, op=OPERATED[type(node.op)]())
        if isinstance(node.op, (ast.Mult, ast.Div, ast.Pow)):
            yield "dropped factor", node.left
    elif isinstance(node, ast.BoolOp):
        yield "and for or", _changed(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert, ast.USub)):
        yield "sign or negation", node.operand
    elif isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in SWAPPED:
            yield "min for max", _changed(node, func=_renamed(node.func, SWAPPED[name]))
    if getattr(parent, "test", None) is node:
        yield "condition", ast.UnaryOp(ast.Not(), node)


def _other_constant(node: ast.Constant, parent: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node.value, bool):
        yield "flag", ast.Constant(not node.value)
    elif isinstance(node.value, int):
        axis = isinstance(parent, ast.Subscript) or (isinstance(parent, ast.keyword) and parent.arg == "axis")
        yield "axis" if axis else "off by one", ast.Constant(1 - node.value if node.value in (0, 1) else node.value + 1)
    elif isinstance(node.value, float):
        yield "constant", ast.Constant(node.value * 2 if node.value else 1.0)


def _changed(node: ast.expr, **fields: object) -> ast.expr:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _renamed(node: ast.expr, name: str) -> ast.expr:
    return _changed(node, **{"id" if isinstance(node, ast.Name) else "attr": name})


def with_fault(source: str, fault: Fault) -> str:
    """Return a module with a fault; columns are counted in bytes, as `ast` does."""
    lines = source.encode().splitlines(keepends=True)
    starts = [sum(map(len, lines[:k])) for k in range(len(lines))]
    first, last = (starts[row - 1] + column for row, column in (fault.start, fault.end))
    whole = source.encode()
    return (whole[:first] + fault.new.encode() + whole[last:]).decode()


def sample(folder: str, *, count: int, seed: int) -> list[Fault]:
    """Draw faults of a folder's modules, without one that can't be compiled."""
    sources = {str(file.relative_to(ROOT)): file.read_text() for file in (ROOT / "coigan_aug" / folder).rglob("*.py")}
    every = [fault for path, source in sorted(sources.items()) for fault in faults_of(path, source)]
    random.Random(f"{folder} {seed}").shuffle(every)
    whole = (fault for fault in every if _compiles(with_fault(sources[fault.path], fault)))
    return list(itertools.islice(whole, count))


def _compiles(source: str) -> bool:
    with contextlib.suppress(SyntaxError):
        compile(source, "fault", "exec")
        return True
    return False


def tests_of(path: str) -> list[str]:
    """Return the test files of a module: of its name, then those of its folder that name it, else all of the folder."""
    folder, stem = Path(path).parent.name, Path(path).stem
    files = sorted((ROOT / "tests" / folder).rglob("test_*.py"))
    named = [file for file in files if f"coigan_aug.{folder}.{stem} " in file.read_text().replace("\n", " ")]
    own = [file for file in files if file.stem == f"test_{stem}"]
    return list(dict.fromkeys(str(file.relative_to(ROOT)) for file in own + (named or files)))


def passed(copied: Path, tests: list[str], *, limit: float) -> tuple[str, float]:
    """Run tests in a fork; return "survived" where all pass, "killed" where one fails or nothing ends, and the seconds."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_tests(copied, tests)
    try:
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() - start > limit:
                return "killed", time.monotonic() - start
            time.sleep(0.02)
        child = 0
    finally:
        if child:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
    return ("survived" if ended[1] == 0 else "killed"), time.monotonic() - start


def _run_tests(copied: Path, tests: list[str]) -> None:
    """Run tests in the copy until one fails, and end the process."""
    code = 1
    try:
        os.setsid()
        log = os.open(copied / "pytest.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(copied)
        sys.path[:] = [str(copied), *(own for own in sys.path if Path(own).resolve() not in (ROOT, ROOT / "examples"))]
        import hypothesis
        import pytest

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # a failure need not be made smaller
        register = functools.partial(hypothesis.settings.register_profile, phases=phases, max_examples=30)
        type.__setattr__(hypothesis.settings, "register_profile", staticmethod(register))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow and not gpu", f"--basetemp={copied}/temp"]
        code = int(pytest.main([*options, *tests]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


@contextlib.contextmanager
def _copy() -> Iterator[Path]:
    """Copy the files that git knows of, and compile them."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as temporary:
        copied = Path(temporary)
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
        )
        for name in listed.stdout.decode().splitlines():
            if (ROOT / name).is_file():
                (copied / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copied / name)
        subprocess.run([sys.executable, "-m", "compileall", "-q", "coigan_aug", "tests"], cwd=copied, check=True)
        yield copied


def run(faults: list[Fault], results: dict[str, dict[str, object]], keep: Callable[[], None]) -> None:
    """Run each fault's tests, those of a module only after they have passed without a fault."""
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with _copy() as copied:
        limits: dict[str, float] = {}
        for number, fault in enumerate(sorted(faults, key=lambda own: own.path), start=1):
            source, tests = (ROOT / fault.path).read_text(), tests_of(fault.path)
            if fault.path not in limits:
                verdict, seconds = passed(copied, tests, limit=900)
                if verdict != "survived":  # once more: the machine may have been too busy for a time limit in a test
                    verdict, seconds = passed(copied, tests, limit=900)
                if verdict != "survived":
                    sys.exit(
                        f"{fault.path}: its tests fail without a fault: {(copied / 'pytest.log').read_text()[-2000:]}"
                    )
                limits[fault.path] = 3 * seconds + 20
            faulty = with_fault(source, fault)
            (copied / fault.path).write_text(faulty)
            os.utime(copied / fault.path, (number, number))  # no compiled file is taken for it
            verdict, seconds = passed(copied, tests, limit=limits[fault.path])
            shutil.copy2(ROOT / fault.path, copied / fault.path)
            lines = difflib.unified_diff(source.splitlines(), faulty.splitlines(), n=0, lineterm="")
            change = "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))
            results[fault.key] = asdict(fault) | {"verdict": verdict, "seconds": round(seconds, 1), "change": change}
            keep()
            print(
                f"{number}/{len(faults)} {verdict} {seconds:.1f} s  {fault.path}:{fault.line} {fault.kind}", flush=True
            )


def main() -> None:
    """Draw faults, run them, print those that survived and their share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", help="below coigan_aug/")
    parser.add_argument("--count", type=int, default=25, help="faults for each folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, required=True, help="JSON file of the results")
    parser.add_argument("--again", action="store_true", help="run those anew that survived")
    asked = parser.parse_args()
    results = json.loads(asked.results.read_text()) if asked.results.exists() else {}
    drawn = {folder: sample(folder, count=asked.count, seed=asked.seed) for folder in asked.folders}
    every = [fault for faults in drawn.values() for fault in faults]
    due = [
        own for own in every if own.key not in results or (asked.again and results[own.key]["verdict"] == "survived")
    ]
    run(due, results, lambda: asked.results.write_text(json.dumps(results, indent=1)) and None)
    for folder, faults in drawn.items():
        alive = [results[fault.key] for fault in faults if results[fault.key]["verdict"] == "survived"]
        for own in sorted(alive, key=lambda own: (own["path"], own["line"])):
            print(f"\n{own['path']}:{own['line']} {own['kind']}\n{own['change']}")
        print(f"\n{folder}: {len(alive)} of {len(faults)} survive ({len(alive) / max(len(faults), 1):.0%})")


if __name__ == "__main__":
    main()
