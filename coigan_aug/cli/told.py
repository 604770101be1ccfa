"""What commands of one kind say alike: of a training, of a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coigan_aug.cli.options import Here

if TYPE_CHECKING:
    from coigan_aug.evaluation.result import Result
    from coigan_aug.stages.train import Trained


def tell_training(trained: Trained | None, here: Here, *, kept: str) -> bool:
    """Say how a training ended, or its plan; tell whether there is a run of which more can be said.

    Args:
        kept: what the best state is called.
    """
    if trained is None:
        return False
    if here.as_json:
        print(json.dumps(trained.to_dict(), ensure_ascii=False))
    if trained.run is None:
        here.talk.say(str(trained.plan))
        return False
    best = f"; kept is the {kept} at {trained.best.images:,} (KID {trained.best.distance:.3f})" if trained.best else ""
    here.talk.say(f"{trained.images:,} images seen{best}. Samples: {trained.run.samples}")
    return True


def tell_result(result: Result[Any], here: Here, show: Callable[[Any, Path], None]) -> None:
    """Show a result's tables, and the document that holds it where that is asked for."""
    from coigan_aug.evaluation.result import RESULT
    from coigan_aug.sealed import read_sealed

    path = result.folder / RESULT
    if not here.talk.quiet:
        show(result, path)
    if here.as_json:
        print(json.dumps(read_sealed(path), ensure_ascii=False))
