"""What the numbers say, in sentences: one verdict, and warnings where a number must not be trusted."""

from __future__ import annotations

from collections.abc import Mapping

from coigan_aug.evaluation.comparison import FID_IS_BIASED
from coigan_aug.evaluation.numbers import Comparison, Copies, Pairs, Space
from coigan_aug.evaluation.seams import Seams

FEW_GROUPS = 5
MANY_COPIES = 0.1


def quality_verdict(objects: Pairs, classes: Mapping[str, Pairs]) -> str:
    """Say how far synthetic objects are from the held-out real ones, against how far real ones are from each other.

    Args:
        objects: the comparisons of all classes together.
        classes: the same for each class, by name.
    """
    made, floor = objects.synthetic_test, objects.floor
    if made.kid is None or floor.kid is None:
        return f"Object crops: {made.n_first} synthetic and {made.n_second} test objects are too few for a KID."
    error = "" if made.kid_error is None else f" ± {1000 * made.kid_error:.1f}"
    figures = f"KID {1000 * made.kid:.1f}{error} (x1000) against a floor of {1000 * floor.kid:.1f}"
    return f"Object crops: {figures}: {_distance(made, floor, _worst(classes))}."


def _distance(made: Comparison, floor: Comparison, worst: str) -> str:
    """Name an excess over the floor: within two standard errors it shows nothing, beyond it counts in floors."""
    if made.kid is None or floor.kid is None or made.kid_error is None or floor.kid_error is None:
        return "one group of near-duplicate images tells nothing of the others"
    noise = 2 * (made.kid_error**2 + floor.kid_error**2) ** 0.5
    if made.kid - floor.kid <= noise:
        return (
            f"no difference that {made.n_first} synthetic and {made.n_second} test objects"
            f" (of {made.groups_second} groups of images) could show"
        )
    times = made.kid / max(floor.kid, noise)
    words = "near real" if times < 2 else "short of real" if times < 5 else "far from real"
    return f"{words}; worst class {worst}" if worst else words


def _worst(classes: Mapping[str, Pairs]) -> str:
    """Return the class with the largest KID over its floor; "" where fewer than two have one."""
    excess = {}
    for name, pairs in classes.items():
        made, floor = pairs.synthetic_test.kid, pairs.floor.kid
        if made is not None and floor is not None:
            excess[name] = made - floor
    return max(excess, key=lambda name: excess[name]) if len(excess) > 1 else ""


def comparison_warnings(space: Space) -> list[str]:
    """Say which figures of one feature space must not be trusted."""
    warnings, floor = [], space.objects.floor
    pairs = [
        pair
        for both in (space.images, space.objects)
        for pair in (both.synthetic_train, both.synthetic_test, both.floor)
    ]
    if any(pair.fid_biased for pair in pairs):
        warnings.append(FID_IS_BIASED)
    if not floor.comparable:
        warnings.append(f"Figures in {floor.features} serve to compare with each other, not with papers.")
    few = [
        f"{name} ({compared.floor.n_second} of {compared.floor.groups_second})"
        for name, compared in space.classes.items()
        if compared.floor.groups_second < FEW_GROUPS
    ]
    if few:
        warnings.append(
            f"Test objects of fewer than {FEW_GROUPS} groups of near-duplicate images say little of a class:"
            f" {', '.join(few)}."
        )
    return warnings


def copy_warnings(copies: Mapping[str, Copies], picture: str) -> list[str]:
    """Name the classes that look copied: many nearer to training objects than these are to each other."""
    return [
        f"{name}: {figures.share:.0%} of the synthetic objects are nearer to a training object than training objects of"
        f" different groups are to each other ({figures.floor or 0:.0%} of the test objects are); look at {picture}."
        for name, figures in copies.items()
        if figures.share is not None and figures.share >= max(MANY_COPIES, 2 * (figures.floor or 0))
    ]


def seam_warnings(seams: Seams) -> list[str]:
    """Say where pixels changed that must not."""
    if not seams.changed:
        return []
    return [
        f"{seams.changed:,} of {seams.outside:,} pixels beyond the margin of {seams.margin} px differ from the base image;"
        " none may."
    ]
