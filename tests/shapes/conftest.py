"""The sources that tests of shapes draw from."""

from __future__ import annotations

import pytest
import torch

from coigan_aug.prepare.prepared import Prepared
from coigan_aug.settings import Settings
from coigan_aug.shapes.draw import ShapeSource, shape_source


@pytest.fixture(scope="session")
def source(prepared: Prepared, small: Settings, tmp_path_factory: pytest.TempPathFactory) -> ShapeSource:
    root = tmp_path_factory.mktemp("shapes")
    kinds = ("real", "warped", "recombined")
    return shape_source(prepared, small.data, kinds, root=root, device=torch.device("cpu"))
