"""Which engine draws a class, by what was measured: arms of single classes count for the classes that they draw."""

from __future__ import annotations

from pathlib import Path

from coigan_aug.evaluation.choosing import Choice, choose_engines, worth_trying
from coigan_aug.evaluation.numbers import ArmScores, Benefit
from coigan_aug.evaluation.result import Result

NAMES = ("spot", "line")


def arm(source: str, spot: float, line: float, *, share: float = 0.25, negatives: bool = False) -> ArmScores:
    share = 0.0 if source == "real" else share
    return ArmScores(name=source, source=source, share=share, negatives=negatives, ap={"spot": spot, "line": line})


def chosen(*arms: ArmScores) -> Choice | None:
    result = Result(
        kind="benefit", verdict="", command="", measured_on={"dataset": "d", "generator": "g"}, settings={},
        numbers=Benefit(arms=list(arms)), warnings=(), pictures=(), seconds=1.0, folder=Path("001-benefit"),
    )  # fmt: skip
    return choose_engines([result], dataset="d", generator="g", names=NAMES, engines=("gan", "paste", "patch"))


def test_the_best_arm_that_draws_a_class_by_one_engine_alone_decides() -> None:
    choice = chosen(
        arm("real", 0.3, 0.6), arm("gan", 0.2, 0.5), arm("patch:spot+paste:line", 0.4, 0.7), arm("gan+paste", 0.9, 0.9)
    )
    assert choice is not None
    assert choice.engines == {"spot": "patch", "line": "paste"}
    assert choice.helped == NAMES
    assert choice.lines[0] == "spot: patch, AP 40.0 against 30.0 without"


def test_a_class_that_an_arm_does_not_draw_says_nothing_of_its_engine() -> None:
    choice = chosen(arm("real", 0.3, 0.6), arm("gan", 0.2, 0.5), arm("patch:spot", 0.4, 0.9))
    assert choice is not None
    assert choice.engines == {"spot": "patch", "line": "gan"}
    assert choice.helped == ("spot",)
    assert choice.lines[1].endswith("no engine helps, so leaving it out may be better")


def test_controls_other_shares_and_negatives_are_no_engines_to_draw_with() -> None:
    choice = chosen(
        arm("real", 0.3, 0.6), arm("duplicates", 0.9, 0.9), arm("gan", 0.2, 0.5), arm("paste", 0.1, 0.1),
        arm("paste", 0.9, 0.9, share=0.5), arm("paste", 0.9, 0.9, negatives=True),
    )  # fmt: skip
    assert choice is not None
    assert choice.engines == {"spot": "gan", "line": "gan"}
    assert choice.helped == ()


def test_nothing_is_chosen_where_a_class_was_drawn_by_no_arm() -> None:
    assert chosen(arm("real", 0.3, 0.6), arm("patch:spot", 0.4, 0.9)) is None


def test_worth_trying_are_the_classes_that_gained_more_than_seeds_differ_by() -> None:
    def worth(*arms: ArmScores) -> str | None:
        return worth_trying(
            Benefit(arms=[arm("real", 0.3, 0.6), *arms], classes=list(NAMES)), ("gan", "paste", "patch")
        )

    assert worth(arm("gan", 0.34, 0.61), arm("patch", 0.2, 0.64)) == "gan:spot+patch:line"
    assert worth(arm("gan", 0.34, 0.62), arm("patch", 0.4, 0.5)) == "patch:spot"
    assert worth(arm("gan", 0.32, 0.62), arm("duplicates", 0.9, 0.9)) is None
    assert worth(arm("patch", 0.4, 0.5), arm("patch:spot", 0.5, 0.5)) is None, "it has been measured"
