"""What synthesize is to make: from the options that say how much, or from a plan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coigan_aug.prepare.prepared import Prepared
from coigan_aug.progress import Talk
from coigan_aug.settings import Settings
from coigan_aug.stages.asks import SynthesizeAsk
from coigan_aug.stages.varying import counts_of
from coigan_aug.synthesis.counting import balancing, parse_counts, together_of
from coigan_aug.synthesis.parts import before_log, numbers_of
from coigan_aug.synthesis.rows import PLAN, reader_of
from coigan_aug.synthesis.tasks import Counted, Given, Tasks, capped, check_given
from coigan_aug.synthesis.written import most_synthetic


def tasks_of(
    ask: SynthesizeAsk, prepared: Prepared, settings: Settings, varied: Sequence[int] | None, talk: Talk
) -> Tasks:
    """Return what is to be made, and say where that is less than was asked for."""
    if ask.plan is not None:
        given = Given(Path(ask.plan), reader_of(prepared), changed=ask.accept_changes)
        check_given(given)
        return given
    names, seed = prepared.dataset.names, settings.synthesize.seed
    counts = balancing(prepared) if ask.balance else parse_counts(ask.per_class or "", names)
    counts = counts if varied is None else counts_of(prepared, varied, counts, ask)
    together, first = together_of(prepared, settings.synthesize), _first_number(ask)
    tasks = Counted(counts, together, seed, first)
    if not ask.with_real:
        return tasks
    share = settings.synthesize.synthetic_share
    most = most_synthetic(len(prepared.by_record), share=share)
    fewer = capped(counts, together, seed=seed, first=first, most=most)
    if fewer.counts != counts:
        lost = ", ".join(
            f"{new:,} of {old:,} {name}" for name, new, old in zip(names, fewer.counts, counts, strict=True) if old
        )
        talk.say(
            f"At most {share:.0%} of the images with defects may be synthetic ({most:,} beside {len(prepared.by_record):,} real"
            f" ones): {lost}. More: --set synthesize.synthetic_share=0.5"
        )
    return fewer


def _first_number(ask: SynthesizeAsk) -> int:
    """Return the number that the next image gets: 1, or where a set is added to, one more than its last."""
    if not ask.append:
        return 1
    out = Path(ask.out)
    before = before_log(out)
    return max(numbers_of(before if before.exists() else out / PLAN), default=0) + 1
