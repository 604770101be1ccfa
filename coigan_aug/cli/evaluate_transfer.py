"""coigan-aug evaluate transfer."""

from __future__ import annotations

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.cli.told import tell_result
from coigan_aug.stages.translate_asks import TransferAsk


def evaluate_transfer(ask: TransferAsk, here: Here) -> None:
    """Measure what it is worth to translate a line's images to another: which engine, or none, a segmenter there gains from.

    With masks of the other line segmenters are trained and tested on its held-out pieces; without, images are compared.

    Example: coigan-aug evaluate transfer --from coigan --to line-b/ --engines histogram,amplitude
    """
    from coigan_aug.cli.transfer_tables import show_transfer
    from coigan_aug.stages.evaluate_transfer import evaluate_transfer as stage

    tell_result(stage(here.workspace, ask, talk=here.talk, command=here.command), here, show_transfer)


evaluate_transfer_command = command(TransferAsk, evaluate_transfer, shared=LONG)
