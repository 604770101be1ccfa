"""YAML of a few levels is read, deeper brackets are refused where they begin, and soon."""

from __future__ import annotations

import pytest
import yaml

from coigan_aug.plain_yaml import DEEPEST, PlainLoader


def test_brackets_are_read_as_deep_as_is_said_and_refused_beyond() -> None:
    value = yaml.load("[" * DEEPEST + "]" * DEEPEST, Loader=PlainLoader)
    for _ in range(DEEPEST - 1):
        (value,) = value
    assert value == []
    with pytest.raises(yaml.MarkedYAMLError, match="nested too deeply") as refused:
        yaml.load("a: 1\nb: " + "{a: " * (DEEPEST + 1) + "}" * (DEEPEST + 1), Loader=PlainLoader)
    assert refused.value.problem_mark is not None
    assert refused.value.problem_mark.line == 1


def test_values_are_those_of_the_safe_loader() -> None:
    text = "a: [1, 2.5, {b: null}]\nc: 2001-01-01\nd: 'x'\n"
    assert yaml.load(text, Loader=PlainLoader) == yaml.safe_load(text)
    with pytest.raises(yaml.YAMLError):
        yaml.load("!!python/object/apply:os.system [ls]", Loader=PlainLoader)
