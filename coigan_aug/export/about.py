"""What an exported file says of itself: what goes in, what comes out, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from coigan_aug.checkpoint import GeneratorFile, about_generator
from coigan_aug.compose.noise import condition_channels, latent_shape
from coigan_aug.export.drawing import Size


@dataclass(frozen=True)
class Value:
    """An input or the output, float32: letters in its shape are sizes that are free."""

    name: str
    shape: tuple[int | str, ...]
    meaning: str

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(map(str, self.shape))}]  {self.meaning}"


def inputs_of(generator: GeneratorFile, size: Size | None) -> tuple[Value, ...]:
    """Describe what the generator takes, at one size or, where it has none, at any."""
    settings, side = generator.settings, size or ("H", "W")
    scale = "" if settings.data.scale == 1 else f", resized by {settings.data.scale:g}"
    hidden = ", black inside the masks" if settings.model.mask_base else ""
    channels = condition_channels(settings.model, len(generator.classes))
    values = [
        Value("image", ("N", 3, *side), f"RGB in 0..1{scale}{hidden}"),
        Value("condition", ("N", channels, *side), channels_of(generator)),
    ]
    levels, numbers = latent_shape(settings.model)
    if levels:
        meaning = "standard normal; one drawing for all rows, or other rows for coarse (first) and fine levels"
        values.append(Value("latent", ("N", levels, numbers), meaning))
    return tuple(values)


def output_of(generator: GeneratorFile, size: Size | None) -> Value:
    """Describe what the generator gives."""
    model = generator.settings.model
    meaning = (
        f"RGB, clamp to 0..1; for the masks, {model.grow} px round them and {model.soften} px more in which it fades"
    )
    return Value("out", ("N", 3, *(size or ("H", "W"))), meaning)


def channels_of(generator: GeneratorFile) -> str:
    """Say what the conditioning channels hold, in order, as `compose.noise.condition` makes them."""
    model = generator.settings.model
    names, grains = ", ".join(item.name for item in generator.classes), ", ".join(map(str, model.noise_scales))
    normal = f"normal noise of mean {model.noise_mean:g} and deviation {model.noise_std:g}"
    contrast = "; contrast of each defect to its surroundings, on its mask" if model.contrast else ""
    if model.noise == "replace":
        blur = f"blurred over {model.noise_blur} px" if model.noise_blur else "sharp"
        each = ", other noise for each class" if model.noise_per_class else ""
        return (
            f"masks of {names}, {blur}, times {normal}{each}, grains of {grains} px added up (thesis 4.3.5){contrast}"
        )
    return f"masks of {names}, 0 or 1{contrast}; {normal} on the masks, for grains of {grains} px each"


def about(generator: GeneratorFile, size: Size | None) -> dict[str, Any]:
    """Return all that is written into an exported file, for JSON: a generator file's own words, and how to use it."""
    words = about_generator(generator.settings, generator.classes, generator.images)
    return words | {
        "source_sha256": generator.sha256,
        "inputs": [asdict(value) for value in inputs_of(generator, size)],
        "output": asdict(output_of(generator, size)),
    }
