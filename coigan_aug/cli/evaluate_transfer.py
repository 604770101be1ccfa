"""coigan-aug evaluate transfer."""

from __future__ import annotations

import json

from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.stages.translate_asks import TransferAsk


def evaluate_transfer(ask: TransferAsk, here: Here) -> None:
    """Measure what it is worth to translate a line's images to another: which engine, or none, a segmenter there gains from.

    With masks of the other line segmenters are trained and tested on its held-out pieces; without, images are compared.

    Example: coigan-aug evaluate transfer --from coigan --to line-b/ --engines histogram,amplitude
    """
    from coigan_aug.cli.transfer_tables import show_transfer
    from coigan_aug.evaluation.result import RESULT
    from coigan_aug.sealed import read_sealed
    from coigan_aug.stages.evaluate_transfer import evaluate_transfer as stage

    result = stage(here.workspace, ask, talk=here.talk, command=here.command)
    path = result.folder / RESULT
    if not here.talk.quiet:
        show_transfer(result, path)
    if here.as_json:
        print(json.dumps(read_sealed(path), ensure_ascii=False))


evaluate_transfer_command = command(TransferAsk, evaluate_transfer, shared=LONG)
