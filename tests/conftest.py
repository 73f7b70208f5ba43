"""What all tests share: a seeded generator, the folder of data sets, and how hypothesis runs."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# A shared machine stalls now and then: what is slow is not wrong.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Keras asks for TensorFlow unless it is told another.
os.environ.setdefault("KERAS_BACKEND", "torch")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def rng():
    return np.random.default_rng(20240607)


@pytest.fixture(scope="session")
def data_folder():
    """Return the folder of the data sets beside the checkout; the tests that need it are skipped without."""
    if not DATA.is_dir():
        pytest.skip(f"the data sets are not at {DATA}")
    return DATA
