"""How many defects of which classes, and which share an image: exact counts, the real set's own distribution."""

from __future__ import annotations

from collections import Counter

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
        ("carck=3", "no class 'carck'"),
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
    assert 0 <= found.mixed <= 1


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
