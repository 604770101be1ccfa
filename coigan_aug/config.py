"""YAML to frozen dataclasses and back; every refusal names file and line and says what was meant."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml

from coigan_aug.errors import ConfigError, UsageError, meant
from coigan_aug.log import detail
from coigan_aug.plain_yaml import PlainLoader
from coigan_aug.settings import Settings

T = TypeVar("T")
RECIPES = ("coigan", "coigan-small", "default", "tiny")
TRANSLATION = ("default", "tiny")
"""The recipes of `translate train`, files of their own: translate-NAME.yaml."""
_UNPROVEN = "no measurement spoke for it"
_FIXED = "it has its default always"
RETIRED = {
    "train": {
        "lecam": _UNPROVEN, "mode_seeking": _UNPROVEN, "cutout": _UNPROVEN, "turn": _UNPROVEN, "augment_target": _UNPROVEN,
        "augment_images": _UNPROVEN, "pretrain": _UNPROVEN, "decay": _UNPROVEN, "mixing": _FIXED, "paired_grow": _FIXED,
    },
    "synthesize": dict.fromkeys(("augment", "rotate", "scale_range"), "synthesize.shapes says how shapes vary"),
    "evaluate": {"crop": _FIXED},
    "log": {"tensorboard": "event files are written wherever tensorboard is installed"},
}  # fmt: skip
"""Settings of earlier versions, and why they are gone; the files of those versions hold them."""
Values = dict[str, dict[str, tuple[Any, str]]]


def load_settings(
    *,
    recipe: str = "default",
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    translation: bool = False,
) -> Settings:
    """Read the settings: defaults, then the recipe, then the file, then `section.key=value` overrides, then flags.

    Args:
        file: a `coigan.yaml`; None reads none.
        flags: "section.key" -> value, already of the right type.
        translation: the recipe is one of `translate train`.

    Raises:
        ConfigError: an unknown recipe, section or key ("did you mean"), a value of the wrong type or out of range.
    """
    values: Values = {}
    _merge(values, _recipe_values(recipe, translation=translation))
    if file is not None:
        detail(f"settings: recipe {recipe}, then {file}")
        _merge(values, _read_file(file))
    for override in overrides:
        _merge(values, _read_override(override))
    for name, value in (flags or {}).items():
        section, key = name.split(".")
        _merge(values, {section: {key: (value, f"--{key.replace('_', '-')}")}})
    return _build(values)


def settings_file(given: Path | str | None) -> Path | None:
    """Return the settings file to read: the one given, else ./coigan.yaml where there is one.

    Raises:
        UsageError: the one given does not exist.
    """
    if given is not None and not Path(given).exists():
        raise UsageError(f"{given} does not exist.", remedy="Name an existing file with --config, or leave it out.")
    usual = Path("coigan.yaml")
    return Path(given) if given is not None else (usual if usual.exists() else None)


def recipe_text(name: str, *, translation: bool = False) -> str:
    """Return the YAML of a recipe that comes with the package.

    Raises:
        ConfigError: there is none of that name.
    """
    known = TRANSLATION if translation else RECIPES
    if name not in known:
        raise ConfigError(f"There is no recipe {name!r}.{meant(name, known)}", remedy=f"Recipes: {', '.join(known)}.")
    file = f"translate-{name}.yaml" if translation else f"{name}.yaml"
    return (resources.files("coigan_aug") / "recipes" / file).read_text()


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Turn settings into plain values (tuples become lists)."""
    return {
        section.name: {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(getattr(settings, section.name)).items()
        }
        for section in dataclasses.fields(settings)
    }


def settings_from_dict(values: Mapping[str, Mapping[str, Any]], *, where: str) -> Settings:
    """Turn what `settings_to_dict` gave back into settings; `where` names its place in errors.

    Keys that an earlier version had and this one has not are passed over.
    """
    known = {
        section: {key: (value, where) for key, value in keys.items() if key not in RETIRED.get(section, {})}
        for section, keys in values.items()
    }
    return _build(known)


def settings_to_yaml(settings: Settings) -> str:
    """Write settings as the YAML that `load_settings` reads."""
    return yaml.safe_dump(settings_to_dict(settings), sort_keys=False, default_flow_style=None)


def detail_settings(settings: Settings) -> None:
    """Say in detail, section by section, which settings are in use."""
    for section, values in settings_to_dict(settings).items():
        detail(f"{section}: " + ", ".join(f"{key}={value}" for key, value in values.items()))


@functools.cache
def _recipe_values(recipe: str, *, translation: bool = False) -> Values:
    return _read_yaml(recipe_text(recipe, translation=translation), f"recipe {recipe}")


def _merge(into: Values, values: Values) -> None:
    for section, keys in values.items():
        into.setdefault(section, {}).update(keys)


def _read_file(path: Path) -> Values:
    try:
        return _read_yaml(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}.") from error


def _read_yaml(text: str, name: str) -> Values:
    try:
        root = yaml.compose(text, Loader=PlainLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"{name}:{line}  not valid YAML: {error.problem}.") from error
    except yaml.YAMLError as error:  # a sign that YAML has not, such as NUL
        raise ConfigError(f"{name} is not valid YAML: {str(error).splitlines()[0]}.") from error
    except RecursionError as error:
        raise ConfigError(f"{name} is nested too deeply.") from error
    if root is None:
        return {}
    values: Values = {}
    for section, node, line in _pairs(root, name, "the file"):
        _known(section, [f.name for f in dataclasses.fields(Settings)], f"{name}:{line}", "section")
        values[section] = {key: (_value(child, name), f"{name}:{at}") for key, child, at in _pairs(node, name, section)}
    return values


def _pairs(node: yaml.Node, name: str, what: str) -> list[tuple[str, yaml.Node, int]]:
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{name}:{node.start_mark.line + 1}  {what} must hold  key: value  lines.")
    entries: dict[str, tuple[yaml.Node, int]] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{name}:{line}  a key in {what} is not text.")
        if key.value in entries:
            again = f"{name}:{line}  {_shown(key.value)} is there twice; the first is in line {entries[key.value][1]}."
            raise ConfigError(again, remedy="Keep one of them.")
        entries[key.value] = value, line
    return [(key, value, line) for key, (value, line) in entries.items()]


def _value(node: yaml.Node, name: str) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    except yaml.constructor.ConstructorError as error:
        raise ConfigError(f"{name}:{node.start_mark.line + 1}  {error.problem}.") from error
    except (ValueError, RecursionError) as error:  # a day that is none, a number of thousands of digits
        raise ConfigError(f"{name}:{node.start_mark.line + 1}  the value can't be read ({error}).") from error


def _read_override(text: str) -> Values:
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not equals or not dot:
        raise ConfigError(f"--set {text}: write  --set section.key=value .")
    _known(section, [f.name for f in dataclasses.fields(Settings)], f"--set {text}", "section")
    try:
        return {section: {key: (yaml.load(value, Loader=PlainLoader), f"--set {text}")}}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"--set {_short(text)}: the value is not valid YAML.") from error


def _known(name: str, names: Sequence[str], where: str, what: str) -> None:
    if name not in names:
        raise ConfigError(
            f"{where}  unknown {what} {_short(name)!r}.{meant(_short(name), names)}",
            remedy=f"Known: {', '.join(names)}.",
        )


def _build(values: Values) -> Settings:
    sections = {f.name: typing.get_type_hints(Settings)[f.name] for f in dataclasses.fields(Settings)}
    built = {name: _build_section(name, kind, values.get(name, {})) for name, kind in sections.items()}
    return Settings(**built)


def _build_section(section: str, kind: type[T], values: Mapping[str, tuple[Any, str]]) -> T:
    hints = typing.get_type_hints(kind, include_extras=True)
    converted = {}
    for key, (value, where) in values.items():
        if key in RETIRED.get(section, {}):
            raise ConfigError(f"{where}  {section}.{key} is gone: {RETIRED[section][key]}.", remedy="Remove it.")
        _known(key, list(hints), where, "key")
        converted[key] = _convert(value, hints[key], key, where)
    try:
        return kind(**converted)
    except ConfigError as error:
        places = [where for key, (_, where) in values.items() if f".{key} " in error.message]
        raise ConfigError(f"{places[0]}  {error.message}" if places else error.message, remedy=error.remedy) from None


_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def _convert(value: Any, kind: Any, key: str, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _convert_list(value, typing.get_args(kind), key, where)
    if origin is typing.Annotated:  # settings.OrAuto
        if value == "auto":
            return 0
        try:
            return _convert(value, typing.get_args(kind)[0], key, where)
        except ConfigError as error:
            raise ConfigError(f"{error.message} Write  {key}: 16  or  {key}: auto .") from None
    number = _finite(value) if kind is float else None
    if number is not None:
        return number
    if kind is not float and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise ConfigError(f"{where}  {key}: {_shown(value)} is not {_WORDS[kind]}.")


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple, dict, set)):
        return "a list" if isinstance(value, (list, tuple)) else "a group of values"
    return f'"{_short(value)}"' if isinstance(value, str) else _short(str(value))


def _short(text: str, *, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[:most]} ..."


def _convert_list(value: Any, kinds: tuple[Any, ...], key: str, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise ConfigError(f"{where}  {key}: {_shown(value)} is not a list. Write  {key}: [a, b] .")
    if kinds[-1] is not Ellipsis and len(value) != len(kinds):
        raise ConfigError(f"{where}  {key}: {len(value)} values, {len(kinds)} are expected.")
    return tuple(_convert(item, kinds[0], key, where) for item in value)


def _finite(value: Any) -> float | None:
    """Return a number as float; YAML 1.1 reads 1e-4 as text. None for anything else, infinity and "not a number" too."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
