"""coigan-aug evaluate benefit."""

from __future__ import annotations

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.cli.told import tell_result
from coigan_aug.stages.evaluate_asks import BenefitAsk


def evaluate_benefit(ask: BenefitAsk, here: Here) -> None:
    """Train a segmenter with and without synthetic defects and compare on held-out images; says so when nothing is gained.

    Finding and naming a defect are told apart. Stopped, or asked for more arms or seeds, it trains what is missing.

    Example: coigan-aug evaluate benefit --engines duplicates,transplant --seeds 3 --minutes 60
    """
    from coigan_aug.cli.benefit_tables import show_benefit
    from coigan_aug.stages.evaluate_benefit import evaluate_benefit as stage

    tell_result(stage(here.workspace, ask, talk=here.talk, command=here.command), here, show_benefit)


evaluate_benefit_command = command(BenefitAsk, evaluate_benefit, shared=LONG)
