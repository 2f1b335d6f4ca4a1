"""One Parquet file, a row an image, with images and maps in it: ``train.parquet``, as Hugging Face's data sets are."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracer.errors import OutputError
from tracer.explanation import Explanation
from tracer.exports.objects import explained_images, extent, heatmap
from tracer.files import write_atomically

_GROUP = 64
"""Images a group of rows: one is read whole to open an image."""


def write(explanations: Sequence[Explanation], folder: Path) -> Path:
    """Write explanations; see :func:`tracer.exports.export`."""
    try:
        from pyarrow import Table, parquet
    except ImportError as error:
        raise OutputError("--to parquet needs pyarrow: pip install 'bandit-tracer[parquet]'") from error
    rows = [
        {
            "image": {"bytes": image.content, "path": image.name},
            "objects": {
                "bbox": [extent(explanation) for explanation in image.explanations],
                "categories": [explanation.name for explanation in image.explanations],
                "index": [explanation.target for explanation in image.explanations],
                "probability": [explanation.probability for explanation in image.explanations],
                "architecture": [explanation.architecture for explanation in image.explanations],
                "heatmap": [
                    {"bytes": heatmap(explanation), "path": image.heatmap_name(number)}
                    for number, explanation in enumerate(image.explanations)
                ],
            },
        }
        for image in explained_images(explanations)
    ]
    described = {"huggingface": json.dumps({"info": {"features": _FEATURES}})}
    table = Table.from_pylist(rows).replace_schema_metadata(described)
    content = io.BytesIO()
    parquet.write_table(table, content, row_group_size=_GROUP)
    path = folder / "train.parquet"
    write_atomically(path, content.getvalue(), make_folder=True)
    return path


def _list(feature: dict[str, Any]) -> dict[str, Any]:
    return {"feature": feature, "_type": "List"}


def _value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


_FEATURES = {
    "image": {"_type": "Image"},
    "objects": {
        "bbox": _list(_list(_value("float64"))),
        "categories": _list(_value("string")),
        "index": _list(_value("int64")),
        "probability": _list(_value("float64")),
        "architecture": _list(_value("string")),
        "heatmap": _list({"_type": "Image"}),
    },
}
"""What the columns are, as ``datasets`` reads it."""
