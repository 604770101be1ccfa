"""coigan-aug translate: the commands that give a labelled set the look of another line."""

from __future__ import annotations

import json

import typer

from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG
from coigan_aug.cli.translate_train import translate_train_command
from coigan_aug.stages.translate_asks import TranslateAsk

TRANSLATE = "Give a labelled set the look of another line: another camera, exposure or surface."
translate_app = typer.Typer(help=TRANSLATE, no_args_is_help=True)


def translate_apply(ask: TranslateAsk, here: Here) -> None:
    """Give a labelled set the look of another line; every mask stays as it is, bit for bit.

    The same command continues one that was killed.

    Example: coigan-aug translate apply coigan --to line-b/ --engine histogram --out coco-b/
    """
    from msgspec import UNSET, to_builtins

    from coigan_aug.stages.translate import translate as stage

    made = stage(here.workspace, ask, talk=here.talk, command=here.command)
    card, say = made.card, here.talk.say
    about = card.translated
    assert about is not UNSET
    counts = ", ".join(f"{count:,} {name}" for name, count in card.defects.items())
    say(f"{card.images:,} images by {card.engine}: {counts}")
    rejected = (card.screening and card.screening.rejected) or {}
    if rejected:
        reasons = ", ".join(f"{sum(by.values()):,} {reason}" for reason, by in rejected.items())
        say(f"tries rejected: {reasons}; {about.left_out:,} images left out, in which a defect was lost in every try")
    if about.unknown:
        say(f"{about.unknown:,} images of unknown state left out")
    if about.void_lost:
        say(
            f"{about.void_lost:,} images have void pixels, which {card.format} can't hold: --format voc or mask-index does."
        )
    if about.edges_moved is not None:
        say(
            f"edges of defects moved by {about.edges_moved:.2f} px (median; 95 % by at most {about.edges_moved_p95:.2f})"
        )
    if about.gap_kept is not None:
        kept = f"defects keep {about.gap_kept:.0%} of their distance to the levels round them (median)"
        say(f"{kept}; {about.visible:.0%} stay visible")
    if about.found_before is not None and about.found_after is not None:
        say(f"a segmenter of the set's own line finds {about.found_after:.0%} of them, {about.found_before:.0%} before")
    say(f"{made.out / about.annotations}  {made.out}/preview.png  {made.out}/card.json")
    say(next_step(here.workspace, "evaluate transfer --to " + about.to))
    if here.as_json:
        names = {"out": str(made.out), "annotations": str(made.out / about.annotations), "records": str(made.records)}
        print(json.dumps(names | to_builtins(card), ensure_ascii=False))


translate_app.command("train")(translate_train_command)
translate_app.command("apply")(command(TranslateAsk, translate_apply, shared=LONG))
