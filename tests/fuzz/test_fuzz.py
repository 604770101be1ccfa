"""Damaged files of every format are read soundly or refused; hypothesis damages, and shrinks what it finds.

`python -m tests.fuzz.run` does the same for as long as one likes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coigan_aug.errors import CoiganError
from tests.fuzz.mutations import KINDS, Mutation, mutate
from tests.fuzz.sources import EVERYTHING, SOURCES, Sample, carry_on, damaged_reads, write_sample
from tests.thorough import tries

MUTATIONS = st.builds(
    Mutation,
    st.sampled_from(list(KINDS)),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, (1 << 16) - 1),
)
DAMAGE = st.lists(st.tuples(st.integers(0, 20), MUTATIONS), min_size=1, max_size=3)


@pytest.fixture(scope="module", params=EVERYTHING)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    yield write_sample(request.param, tmp_path_factory.mktemp("fuzz") / "data")


def test_what_is_whole_is_read_wholly_and_carried_on(sample: Sample) -> None:
    """Else the fuzzing below would only see refusals."""
    for result in damaged_reads(sample):
        assert not isinstance(result, CoiganError), result
        if sample.format in dict(SOURCES.values()):
            carry_on(result, sample.folder.parent)
            assert len(result[1]) >= 2
            assert sum(len(record.annotations) for record in result[1]) >= 2


@settings(max_examples=tries(40), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(damage=DAMAGE)
def test_what_is_damaged_is_read_soundly_or_refused(sample: Sample, damage: list[tuple[int, Mutation]]) -> None:
    paths = list(sample.files)
    for which, mutation in damage:
        path = paths[which % len(paths)]
        path.write_bytes(mutate(path.read_bytes(), mutation))
    try:
        for _ in damaged_reads(sample):
            pass
    finally:
        sample.mend()
