"""Summarise kept trainings of `evaluate benefit` without data or run: what is finished of a long measurement, by fold.

    python examples/summarise_trainings.py examples/results/benefit/magnetic-tile --classes blowhole,break,crack,fray,uneven

The folder holds `fold-1/arms/*.npz`, ... as `coigan/results/trainings/KEY` does (put there, they need not be trained again).
Every arm that all the folds in question have, with the seeds that all of these arms have, is taken. `--folds 1` takes the first
fold alone, `--only real,transplant-c1600440` some of the arms, and `--call c1600440=resized` names those with a mark in words.
Writes `NAME.json` and pictures beside the folder.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from coigan_aug.evaluation.arms import Arm
from coigan_aug.evaluation.curves import draw_confusions, draw_curve
from coigan_aug.evaluation.result import Result, to_json
from coigan_aug.evaluation.summary import Question, summarise
from coigan_aug.evaluation.tally import Tally, read_tally
from coigan_aug.files import write_json

NAME = re.compile(r"(?P<arm>.+?)(?:-(?P<share>0\.\d+))?-(?P<seed>\d+)")


def main() -> None:
    """Read the command line, summarise, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--classes", required=True)
    parser.add_argument("--folds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", help="name of what is written; default: the folder's")
    parser.add_argument("--only", default="", help="arms by the names of their files without share and seed, by commas")
    parser.add_argument("--call", action="append", default=[], metavar="MARK=WORDS")
    asked = parser.parse_args()
    called = dict(text.split("=", 1) for text in asked.call)
    only = {name for name in asked.only.split(",") if name}
    kept = [read_fold(asked.folder / f"fold-{fold}" / "arms", only, called) for fold in asked.folds]
    arms = [arm for arm in sorted(kept[0], key=lambda arm: (arm.share, arm.name)) if all(arm in own for own in kept)]
    seeds = tuple(sorted(set.intersection(*(set(own[arm]) for own in kept for arm in arms))))
    question = Question(arms=tuple(arms), seeds=seeds, folds=len(kept), names=tuple(asked.classes.split(",")), seed=0)
    tallies = {(arm.name, k, seed): own[arm][seed] for k, own in enumerate(kept) for arm in arms for seed in seeds}
    about = next((arm.sources[0] for arm in arms if "gan" in arm.sources), arms[-1].sources[0])
    numbers = summarise(question, tallies, about=about)
    name, place = asked.out or asked.folder.name, asked.folder.parent
    result = Result(
        kind="benefit",
        verdict=numbers.verdict,
        command=command(asked),
        measured_on={"folds": asked.folds},
        settings={},
        numbers=numbers,
    )
    write_json(place / f"{name}.json", to_json(result))
    for draw in (
        lambda: draw_curve(place, numbers.arms),
        lambda: draw_confusions(place, numbers.arms, numbers.classes, about=numbers.about),
    ):
        _, picture = draw()
        (place / picture).rename(place / f"{name}-{picture}")
    for arm in numbers.arms:
        means = {key: value.mean for key, value in arm.measures.items()}
        print(arm.name, {key: None if mean is None else round(100 * mean, 1) for key, mean in means.items()})
    print(numbers.verdict)


def command(asked: argparse.Namespace) -> str:
    """Return the command that repeats it."""
    folds = " ".join(map(str, asked.folds))
    more = [f"--only {asked.only}"] if asked.only else []
    more += [f"--call {shlex.quote(text)}" for text in asked.call]
    line = f"python examples/summarise_trainings.py {asked.folder} --classes {asked.classes} --folds {folds}"
    return " ".join([line, *more])


def read_fold(folder: Path, only: Collection[str], called: Mapping[str, str]) -> dict[Arm, dict[int, Tally]]:
    """Read the tallies of a fold: by arm, then by seed.

    Args:
        only: the arms to read, by the names of their files without share and seed; none: all.
        called: what marks of arms are called.
    """
    found: dict[Arm, dict[int, Tally]] = defaultdict(dict)
    for path in sorted(folder.glob("*.npz")):
        match = NAME.fullmatch(path.stem)
        if match is None:
            raise SystemExit(f"{path} is not named as a training is.")
        name, share = match["arm"], float(match["share"] or 0)
        sources = tuple(re.sub(r"(-(negatives|faded|ring[0-9]+|[0-9a-f]{8}))+$", "", name).split("+"))
        if only and name not in only:
            continue
        mark = re.search(r"-([0-9a-f]{8})$", name)
        words = f"{name[: mark.start()]}, {called[mark[1]]}" if mark and mark[1] in called else name
        full = words if name == "real" else f"real + {words}"
        found[Arm(sources, share, full, "-negatives" in name)][int(match["seed"])] = read_tally(path)
    return dict(found)


if __name__ == "__main__":
    main()
