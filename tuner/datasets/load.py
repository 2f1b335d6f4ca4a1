"""The data set of a job."""

import importlib

from tuner.datasets.image import ImageList
from tuner.errors import DatasetError
from tuner.spec.job import DatasetSpec


def load_dataset(spec: DatasetSpec, *, skip_bad: bool = False, labelled: bool = False) -> ImageList:
    """The images of a job, each image and box checked.

    The module here with the name of the kind does it.

    Args:
        spec: Kind and place.
        skip_bad: Leave bad images out and count them (``left_out``), as ``spec.skip_bad`` also asks.
        labelled: Whether every image needs a label, because the label is what is explained.

    Raises:
        DatasetError: If a file cannot be read, an image is missing or corrupt, or a box empty, inverted or outside its
            image; names file and line.
    """
    layout = importlib.import_module(f"{__package__}.{spec.kind}")
    try:
        images: ImageList = layout.load(spec, skip_bad=skip_bad or spec.skip_bad, labelled=labelled)
    except OSError as error:
        raise DatasetError(
            f"{error.filename}: cannot be read ({error.strerror}); check the paths of dataset"
        ) from error
    return images
