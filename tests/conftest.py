"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the ImageNet images and checkpoints (``TRACER_DATA``); skips where it is missing."""
    root = Path(os.environ.get("TRACER_DATA", Path(__file__).parents[2] / "shared"))
    if not (root / "imagenet").is_dir() or not (root / "checkpoints").is_dir():
        pytest.skip(f"no ImageNet images and checkpoints at {root}: set TRACER_DATA to their folder")
    return root
