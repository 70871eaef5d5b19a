"""What the tests of the Python package share: small networks of the repository, and pictures."""

import os
from pathlib import Path

import numpy as np
import pytest

import kiln

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def backbone(tmp_path_factory):
    """The face network as a plan with an open batch: an aligned face in, 256 features out."""
    path = tmp_path_factory.mktemp("plans") / "backbone.plan"
    kiln.compile(ROOT / "models/faces/backbone.onnx", path).close()
    return path


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "detector.plan"
    kiln.compile(ROOT / "models/faces/detector.onnx", path).close()
    return path


@pytest.fixture(scope="session")
def command():
    """Built commands, in the folder of KILN_BUILD: the C side to compare with."""
    build = os.environ.get("KILN_BUILD")
    if not build:
        pytest.skip("KILN_BUILD names no build folder with the kiln command")
    return {
        "kiln": Path(build) / "compiler/cli/kiln",
        "kiln-faces": Path(build) / "models/faces/kiln-faces",
    }


@pytest.fixture
def noise():
    generator = np.random.default_rng(1)

    def make(*shape):
        return generator.standard_normal(shape, dtype=np.float32)

    return make


@pytest.fixture
def pixels():
    generator = np.random.default_rng(2)

    def make(*shape):
        return generator.integers(0, 256, shape, dtype=np.uint8)

    return make
