"""Saved explanations as data sets that other tools read, one form a file.

Every form is a folder of its own with the images in it. Each is also a kind of data set that ``tuner`` reads.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

from tracer.explanation import Explanation

FORMS = ("coco", "imagefolder", "csv", "parquet")
"""What explanations can be exported as; a module here each."""


def export(explanations: Sequence[Explanation], folder: Path, form: str) -> Path:
    """Write explanations as a data set; those of one image are its objects.

    Args:
        explanations: At least one.
        folder: Where to; made if it is missing.
        form: One of :data:`FORMS`.

    Returns:
        The file that lists the boxes.

    Raises:
        ImageError: If an explained image is not at hand any more.
        OutputError: If a file cannot be written.
    """
    path: Path = importlib.import_module(f"{__name__}.{form}").write(explanations, folder)
    return path
