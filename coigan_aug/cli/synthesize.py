"""coigan-aug synthesize, and what it and merge say of a set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer

from coigan_aug.cli.draw import draw
from coigan_aug.cli.next_step import next_step
from coigan_aug.cli.options import Here, command
from coigan_aug.cli.shared import LONG, Parameters
from coigan_aug.stages.asks import DrawAsk, SynthesizeAsk

if TYPE_CHECKING:
    from coigan_aug.stages.synthesize import PlanSummary, Synthesized

OLD_SPELLING: Parameters = {
    "image": (Optional[Path], typer.Option(None, "--image", hidden=True, help="Now: coigan-aug draw.")),
    "mask": (list[Path], typer.Option([], "--mask", hidden=True, help="Now: coigan-aug draw.")),
    "classes": (list[str], typer.Option([], "--class", hidden=True, help="Now: coigan-aug draw.")),
    "contrasts": (list[float], typer.Option([], "--contrast", hidden=True, help="Now: coigan-aug draw.")),
}


def synthesize(ask: SynthesizeAsk, here: Here) -> None:
    """Make synthetic defect images with exact masks.

    The same command continues one that was killed. Outside the masks' margin every byte is the base image's.

    Example: coigan-aug synthesize --per-class 500 --out coco/
    """
    if here.extra["image"] is not None:
        single = DrawAsk(
            image=here.extra["image"], masks=here.extra["mask"], classes=here.extra["classes"],
            contrasts=here.extra["contrasts"], out=ask.out, seed=ask.seed, run=ask.run, overwrite=ask.overwrite,
            device=ask.device, overrides=ask.overrides, config=ask.config,
        )  # fmt: skip
        here.talk.say(f"synthesize --image has a command of its own: {single.command()}")
        draw(single, here)
        return
    from coigan_aug.stages.synthesize import synthesize as stage

    made = stage(here.workspace, ask, talk=here.talk, command=here.command)
    if made is not None:
        say_made(made, here)


synthesize_command = command(SynthesizeAsk, synthesize, shared=LONG, extra=OLD_SPELLING)


def say_made(result: Synthesized, here: Here) -> None:
    """Say what was made, or that other shares are still missing."""
    say, out, made = here.talk.say, result.out, result.made
    if result.plan is not None:
        _say_plan(result.plan, out, here)
        return
    if made is None:
        say(f"Share {result.shard.index} of {result.shard.count} is made; the last of the others finishes {out}.")
        if here.as_json:
            print(json.dumps({"shard": [result.shard.index, result.shard.count], "complete": False}))
        return
    counts = ", ".join(f"{count:,} {name}" for name, count in made.defects.items())
    say(f"{made.images:,} images: {counts}")
    if made.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(made.rejected.items()))
        replaced = "" if made.missing else " and replaced"
        say(f"{sum(made.rejected.values()):,} rejected{replaced} ({reasons})")
    if made.missing:
        lost = ", ".join(f"{count:,} {name}" for name, count in sorted(made.missing.items()))
        say(f"Missing, because no try passed: {lost}. See {out}/rejected.jsonl; --no-screen makes them all.")
    if made.erased:
        say(_on_erased(made.erased, made.images))
    card = result.card
    assert card is not None  # the set is whole
    if made.void:
        say(f"{made.void:,} images have void pixels, which {card.format} can't hold: --format voc or mask-index does.")
    if made.real and card.real:
        share = card.real.synthetic_share
        say(f"{made.real:,} real images beside; {share:.0%} of the images with defects are synthetic")
    for name, effective in card.effective.items():
        overlap = f"{effective.median:.2f} (median IoU); {effective.shown:.0%} of the mask changed"
        say(f"{name}: what really changed overlaps the planned mask by {overlap}")
    if card.settings["synthesize"].get("masks") == "effective":
        say(
            "The masks are of what changed, to half of its strength (--masks effective); plan.jsonl has the planned ones."
        )
    say(f"{made.annotations}  {result.page}  {out}/card.json")
    say(next_step(here.workspace, card.bases.measured_by))
    if here.as_json:
        files = {"annotations": str(made.annotations), "preview": str(made.preview), "page": str(result.page)}
        about = {"rejected": dict(made.rejected), "missing": dict(made.missing), "real": made.real}
        about |= {"void_lost": made.void} if made.void else {}
        numbers = {"images": made.images, "defects": dict(made.defects), "on_erased": made.erased}
        print(json.dumps(numbers | about | files))


def _say_plan(plan: PlanSummary, out: Path, here: Here) -> None:
    say = here.talk.say
    made = ", ".join(f"{count:,} {name}" for name, count in plan.defects.items())
    say(f"plan    {plan.images:,} {'windows' if plan.windows else 'images'}: {made}")
    say("        " + ", ".join(f"{number:,} with {count}" for count, number in plan.together.items()))
    if plan.bases != "clean":
        say(f"        {_on_erased(plan.erased, plan.images)}")
    say(f"-> {plan.path}   Make it, edited or not: coigan-aug synthesize --plan {plan.path} --out {out}")
    if here.as_json:
        print(json.dumps({"images": plan.images, "defects": dict(plan.defects), "plan": str(plan.path)}))


def _on_erased(erased: int, images: int) -> str:
    share = f"{erased / max(images, 1):.0%}"
    return f"{erased:,} of {images:,} images ({share}) on training images whose defects are erased"
