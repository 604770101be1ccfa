"""coigan-aug evaluate benefit."""

from __future__ import annotations

import json

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.stages.evaluate_asks import BenefitAsk


def evaluate_benefit(ask: BenefitAsk, here: Here) -> None:
    """Train a segmenter with and without synthetic defects and compare on held-out images; says so when nothing is gained.

    Finding and naming a defect are told apart. Stopped, or asked for more arms or seeds, it trains what is missing.

    Example: coigan-aug evaluate benefit --engines duplicates,transplant --seeds 3 --minutes 60
    """
    from coigan_aug.cli.benefit_tables import show_benefit
    from coigan_aug.evaluation.result import RESULT
    from coigan_aug.sealed import read_sealed
    from coigan_aug.stages.evaluate_benefit import evaluate_benefit as stage

    result = stage(here.workspace, ask, talk=here.talk, command=here.command)
    path = result.folder / RESULT
    if not here.talk.quiet:
        show_benefit(result, path)
    if here.as_json:
        print(json.dumps(read_sealed(path), ensure_ascii=False))


evaluate_benefit_command = command(BenefitAsk, evaluate_benefit, shared=LONG)
