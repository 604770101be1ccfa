"""How many defects of which classes, and which share an image: exact counts, the real set's own distribution."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence

import pytest

from coigan_aug.errors import UsageError
from coigan_aug.prepare.prepared import Prepared
from coigan_aug.synthesis.counting import (
    Together,
    balancing,
    parse_counts,
    parse_together,
    real_together,
    share_out,
)
from coigan_aug.synthesis.tasks import capped

NAMES = ("crack", "fray")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500", (500, 500)), ("crack=800,fray=200", (800, 200)), (" fray = 2 ", (0, 2)), ("crack=1", (1, 0))],
)
def test_counts_are_read_for_all_classes_or_by_name(text: str, expected: tuple[int, ...]) -> None:
    assert parse_counts(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "'0' is not a count"),
        ("many", "'many' is not a count"),
        ("crack=", "'' is not a count"),
        ("carck=3", r"no class 'carck'\. Did you mean 'crack'\?"),
        ("CARCK=3", r"no class 'CARCK'\. Did you mean 'crack'\?"),
        ("crack=1,Crack=2", "named twice"),
        ("crack=1,crack=2", "named twice"),
        ("crack=1,,fray=2", "no class ''"),
        ("-5", "'-5' is not a count"),
    ],
)
def test_other_counts_are_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_counts(text, NAMES)


@pytest.mark.parametrize(
    ("text", "expected"), [("2", [0, 0, 1]), ("1-3", [0, 1 / 3, 1 / 3, 1 / 3]), ("0.6,0.3,0.1", [0, 0.6, 0.3, 0.1])]
)
def test_defects_per_image_are_a_number_a_range_or_shares(text: str, expected: list[float]) -> None:
    assert parse_together(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "a", "0", "3-1", "-1", "0,0", "nan,nan", "1,-1"])
def test_other_defects_per_image_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--defects-per-image"):
        parse_together(text)


def test_every_class_gets_exactly_its_count_and_images_are_filled_as_asked() -> None:
    tasks = list(share_out((3000, 1000), Together((0.5, 0.3, 0.2), 1.0), seed=3))
    assert Counter(label for own in tasks for label in own) == {0: 3000, 1: 1000}
    sizes = Counter(len(own) for own in tasks)
    assert sizes[1] / len(tasks) == pytest.approx(0.5, abs=0.03)
    assert sizes[3] / len(tasks) == pytest.approx(0.2, abs=0.03)
    assert any(len(set(own)) == 2 for own in tasks)
    assert tasks == list(share_out((3000, 1000), Together((0.5, 0.3, 0.2), 1.0), seed=3))


def test_classes_that_never_meet_in_real_images_do_not_meet_in_synthetic_ones() -> None:
    tasks = list(share_out((300, 300), Together((0.0, 1.0), 0.0), seed=1))
    assert all(len(set(own)) == 1 for own in tasks)
    assert Counter(label for own in tasks for label in own) == {0: 300, 1: 300}


def test_the_real_set_is_counted_image_by_image(prepared: Prepared) -> None:
    found = real_together(prepared)
    sizes = Counter(len(own) for own in prepared.by_record.values())
    assert found.shares == pytest.approx([sizes[k] / sum(sizes.values()) for k in range(1, max(sizes) + 1)])


def _with_labels(prepared: Prepared, images: Sequence[Sequence[int]]) -> Prepared:
    """Return a set whose images have defects of these classes, in this order."""
    labels = [label for own in images for label in own]
    numbers = iter(range(len(labels)))
    objects = [dataclasses.replace(prepared.objects[0], label=label) for label in labels]
    by_record = {position: [next(numbers) for _ in own] for position, own in enumerate(images)}
    return dataclasses.replace(prepared, objects=objects, by_record=by_record)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_further_defects_of_any_class_are_fully_mixed_and_of_the_firsts_class_not_at_all(
    prepared: Prepared, classes: int
) -> None:
    """Every ordered pair of K classes once: K (K - 1) of the K^2 further ones differ, as independent ones do."""
    independent = list(itertools.product(range(classes), repeat=2))
    alike = [(label, label) for label, _ in independent]
    for images, mixed in (
        (independent, 1.0),
        (alike, 0.0),
        (independent + alike, 0.5),
        (independent + 3 * alike, 0.25),
    ):
        found = real_together(_with_labels(prepared, images))
        assert found == Together((0.0, 1.0), mixed)


def test_classes_that_always_differ_are_mixed_no_more_than_wholly(prepared: Prepared) -> None:
    assert real_together(_with_labels(prepared, [(0, 1), (1, 0), (0,), (1, 0, 0)])).mixed == 1
    assert real_together(_with_labels(prepared, [(0,), (1,)])) == Together((1.0,), 0.0)


def test_images_of_more_than_eight_defects_count_as_eight(prepared: Prepared) -> None:
    found = real_together(_with_labels(prepared, [(0,), (0,) * 7, (0,) * 8, (0,) * 9, (0,) * 20]))
    assert found.shares == pytest.approx((1 / 5, 0, 0, 0, 0, 0, 1 / 5, 3 / 5))


def test_a_set_shared_out_as_measured_measures_the_same(prepared: Prepared) -> None:
    """Of three classes of one size: what `share_out` makes of a mixing is measured as that mixing again."""
    for mixed in (0.2, 0.6):
        tasks = list(share_out((4000, 4000, 4000), Together((0.5, 0.5), mixed), seed=2))[:6000]
        assert real_together(_with_labels(prepared, tasks)).mixed == pytest.approx(mixed, abs=0.05)


def test_balancing_brings_every_class_up_to_the_largest(prepared: Prepared) -> None:
    own = [len(members) for members in prepared.by_class]
    if len(set(own)) == 1:
        with pytest.raises(UsageError, match="training objects already"):
            balancing(prepared)
    else:
        assert [a + b for a, b in zip(own, balancing(prepared), strict=True)] == [max(own)] * len(own)


@pytest.mark.parametrize("most", [1, 2, 7, 40, 10_000])
def test_a_cap_is_kept_and_no_class_is_lost(most: int) -> None:
    together = Together((0.7, 0.3), 1.0)
    tasks = capped((60, 20, 0), together, seed=2, first=1, most=most)
    assert sum(1 for _ in tasks) <= max(most, 2)
    assert tasks.counts[0] >= 1
    assert tasks.counts[1] >= 1
    assert tasks.counts[2] == 0
    if most == 10_000:
        assert tasks.counts == (60, 20, 0)
    if most == 40:
        assert tasks.counts[0] == pytest.approx(3 * tasks.counts[1], abs=3)
        assert sum(1 for _ in tasks) > 30
