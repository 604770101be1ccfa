"""Settings: precedence, refusals with place and suggestion, and there and back."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from coigan_aug.config import RECIPES, RETIRED, load_settings, settings_from_dict, settings_to_dict, settings_to_yaml
from coigan_aug.errors import ConfigError
from coigan_aug.settings import Settings

SECTIONS = [field.name for field in dataclasses.fields(Settings)]


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "coigan.yaml"
    file.write_text("train: {batch: 3, images: 30}\nlog: {keep: 9}\n")
    settings = load_settings(
        recipe="tiny", file=file, overrides=["train.batch=4", "train.seed=5"], flags={"train.seed": 6}
    )
    assert (settings.train.batch, settings.train.images, settings.train.seed, settings.log.keep) == (4, 30, 6, 9)
    assert settings.data.window == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train:\n  batch: 4\n  leaning_rate: 1\n", r":3  unknown key 'leaning_rate'. Did you mean 'learning_rate'\?"),
        ("trian:\n  batch: 4\n", r":1  unknown section 'trian'. Did you mean 'train'\?"),
        (
            "\n\ntrain:\n  batch: sixteen\n",
            r':4  batch: "sixteen" is not a whole number. Write  batch: 16  or  batch: auto',
        ),
        ("train: {batch: 1.5}", r":1  batch: 1.5 is not a whole number"),
        ("train: {batch: true}", r":1  batch: True is not a whole number"),
        ("train:\n  batch: -1\n", r":2  train.batch is -1; allowed: 0 to 4096"),
        ("data: {scale_range: [1]}", r":1  scale_range: 1 values, 2 are expected"),
        ("data: {defects: 3}", r":1  defects: 3 is not a list"),
        ("train: 5", r":1  train must hold"),
        ("- a", r":1  the file must hold"),
        ("train: {batch: [", r"not valid YAML"),
        ("train: {batch: !!python/object/apply:os.system [ls]}", r":1  could not determine a constructor"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "coigan.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_settings(file=file)


def _typos(key: str) -> set[str]:
    return {key[:k] + key[k + 1 :] for k in range(len(key))} | {key[:k] + "q" + key[k + 1 :] for k in range(len(key))}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_single_letter_typo_of_a_key_is_refused_with_a_near_suggestion(section: str) -> None:
    names = {field.name for field in dataclasses.fields(type(getattr(Settings(), section)))}
    for name in names:
        for typo in sorted(_typos(name) - names - {""}):
            with pytest.raises(ConfigError, match=f"unknown key '{typo}'") as caught:
                load_settings(overrides=[f"{section}.{typo}=1"])
            if len(name) > 4:
                assert "Did you mean" in str(caught.value), typo


def test_every_single_letter_typo_of_a_section_is_refused_with_the_right_suggestion() -> None:
    for section in SECTIONS:
        for typo in sorted(_typos(section) - set(SECTIONS) - {""}):
            with pytest.raises(ConfigError, match=f"unknown section '{typo}'") as caught:
                load_settings(overrides=[f"{typo}.seed=1"])
            if len(section) > 3:
                assert f"Did you mean '{section}'" in caught.value.message


@pytest.mark.parametrize(("section", "key"), [(section, key) for section, keys in RETIRED.items() for key in keys])
def test_a_setting_of_an_earlier_version_is_passed_over_in_its_files_and_refused_in_yours(
    section: str, key: str, tmp_path: Path
) -> None:
    stored = settings_to_dict(Settings())
    stored[section][key] = 0.5
    assert settings_from_dict(stored, where="start.json") == Settings()
    file = tmp_path / "coigan.yaml"
    file.write_text(f"{section}:\n  {key}: 0.5\n")
    with pytest.raises(ConfigError, match=rf"coigan.yaml:2  {section}.{key} is gone: \w+"):
        load_settings(file=file)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_survives_dict_and_yaml(recipe: str, tmp_path: Path) -> None:
    settings = load_settings(recipe=recipe)
    assert settings_from_dict(settings_to_dict(settings), where="test") == settings
    file = tmp_path / "config.yaml"
    file.write_text(settings_to_yaml(settings))
    assert load_settings(recipe="tiny" if recipe != "tiny" else "coigan", file=file) == settings


def test_the_recipe_coigan_has_the_published_schedule() -> None:
    """The thesis' repository: 800,000 loop turns of batch 16, half of them generator turns (reference: its config)."""
    train = load_settings(recipe="coigan").train
    assert train.images == 800_000 // 2 * 16
    assert (train.learning_rate, train.betas, train.weight_decay) == (0.002, (0.0, 0.998), 0.01)
    assert (train.adversarial, train.reference_adversarial, train.r1, train.path_length) == (20, 8, 3, 5)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name.startswith("coigan")])
def test_the_recipes_of_the_thesis_have_the_scales_of_its_code(recipe: str) -> None:
    """coigan-facts B2 to B8: weights of each loss, at most one transform, all tiles as references, noise for each class."""
    settings = load_settings(recipe=recipe)
    data, model, train = settings.data, settings.model, settings.train
    assert (train.path_length, train.path_length_every, train.path_length_per) == (5, 4, "column")
    features, weight = (train.perceptual, train.perceptual_weight)
    assert weight == {"resnet50": 0.3, "efficientnet_lite0": 0.3 / 20}[features]
    assert train.perceptual_channels == "sum"
    assert (train.discriminator_weight, train.r1, train.r1_every) == (5, 3, 16)
    assert (train.smooth_l1, train.object_weight, train.background_weight) == (5 * 3, 0.1, 1.0)
    assert (train.adversarial, train.reference_adversarial, train.share_step) == (20, 8, False)
    assert (train.paired, train.mismatch, train.contrast, train.translate, train.gain) == (0, 0, 0, 0, 0)
    assert (train.learning_rate, train.betas, train.weight_decay) == (0.002, (0.0, 0.998), 0.01)
    assert (data.reference, data.clean, data.shapes) == ("tiles", "masks", "same")
    assert (data.transforms, data.augment, data.rotate, data.scale_range) == ("one", 0.5, 180, (0.7, 1.2))
    assert (data.shift, data.shear) == (0.1, 3)
    assert (model.noise, model.noise_per_class, model.mask_base) == ("replace", True, False)
    assert (model.noise_scales, model.noise_mean, model.noise_std) == ((1, 2, 4), 0.5, 0.08)
    assert not model.contrast
    assert not model.discriminator_masks


def test_settings_of_the_thesis_change_nothing_where_no_recipe_names_them() -> None:
    """What a run or a generator file from before them is read with."""
    settings = Settings()
    assert (settings.train.share_step, settings.train.discriminator_weight) == (True, 1)
    assert (settings.train.path_length_per, settings.train.perceptual_channels) == ("sample", "mean")
    assert (settings.model.noise_per_class, settings.model.mask_base) == (False, False)
    assert (settings.data.transforms, settings.data.shift, settings.data.shear) == ("together", 0, 0)
    assert (settings.data.reference, settings.data.clean, settings.data.shapes) == ("defects", "boxes", "same")


def test_every_setting_has_a_line_of_explanation() -> None:
    folder = Path(load_settings.__code__.co_filename).parent / "settings"
    for section in SECTIONS:
        source = (folder / f"{section}.py").read_text()
        for field in dataclasses.fields(type(getattr(Settings(), section))):
            after = source.split(f"    {field.name}: ", 1)[1].split("\n", 2)
            assert after[1].strip().startswith('"""'), f"{section}.{field.name}"


def test_yaml_reads_exponents_as_numbers() -> None:
    assert load_settings(overrides=["train.learning_rate=1e-4"]).train.learning_rate == 1e-4
    assert yaml.safe_load("1e-4") == "1e-4", "YAML 1.1 does not, which is why the configuration has to"
