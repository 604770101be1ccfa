"""How alike the objects of real and synthetic data are, trait by trait."""

from __future__ import annotations

from coigan_aug.metrics.histograms import Comparison, compare
from coigan_aug.prepare.traits import NUMBERS, Traits

_SHARE, _TURN = (0.0, 1.0), 180.0
_LIMITS = {"x": _SHARE, "y": _SHARE, "distance": (0.0, 0.5)}
_LEAST = {"x": 0.02, "y": 0.02, "distance": 0.01, "area": 0.05, "elongation": 0.1, "orientation": 2.0}


def compare_traits(real: Traits, synthetic: Traits, *, bins: int = 20) -> dict[str, Comparison]:
    """Compare the objects of a class in real and in synthetic data: trait -> comparison; {} where either has none.

    Shares and distances have the same bins in every class; `orientation` goes round at 180 degrees.
    """
    if not real.groups or not synthetic.groups:
        return {}
    return {
        name: compare(
            getattr(real, name),
            getattr(synthetic, name),
            groups=real.groups,
            bins=bins,
            limits=_LIMITS.get(name),
            period=_TURN if name == "orientation" else None,
            least=_LEAST[name],
        )
        for name in NUMBERS
    }
