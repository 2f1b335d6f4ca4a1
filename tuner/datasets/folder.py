"""A folder of images without labels or boxes.

Every file under ROOT whose name ends as an image's does (:data:`tracer.images.FORMATS`) is one; its id is its path from
ROOT. Files and folders whose names begin with a dot are not looked at. As nothing is drawn on the pixels, an image is
turned upright as its camera says.
"""

from pathlib import Path

from tracer.images import FORMATS
from tuner.datasets.image import ImageList
from tuner.datasets.record import Convention, Record, check_records
from tuner.errors import DatasetError
from tuner.spec.job import FolderSpec

_ENDINGS = {ending for endings in FORMATS.values() for ending in endings}
_CONVENTION = Convention(lambda box: box)


def load(spec: FolderSpec, *, skip_bad: bool, labelled: bool) -> ImageList:
    """The images of the folder; see :func:`tuner.datasets.load_dataset`."""
    if not spec.root.is_dir():
        raise DatasetError(f"{spec.root}: no such folder; check dataset.root")
    files = sorted(path for path in spec.root.rglob("*") if _is_image(path.relative_to(spec.root)))
    records = (Record(path.relative_to(spec.root).as_posix(), path, (), str(path)) for path in files)
    return check_records(
        records, spec.root, skip_bad=skip_bad, labelled=labelled, convention=_CONVENTION, annotated=False
    )


def _is_image(path: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in _ENDINGS and not hidden
