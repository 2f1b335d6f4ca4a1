"""COCO instances: ``annotations/instances_explained.json``, the images in ``explained/``, the maps in ``heatmaps/``.

An annotation has, beside COCO's keys, the class's probability as ``score``, the path of its map from the folder as
``heatmap``, and ``architecture``; FiftyOne keeps them as attributes of the detection.
"""

from collections.abc import Sequence
from pathlib import Path

from tracer.explanation import Explanation
from tracer.exports.objects import explained_images, extent, write_images
from tracer.files import write_atomically
from tracer.printable import json_text


def write(explanations: Sequence[Explanation], folder: Path) -> Path:
    """Write explanations; see :func:`tracer.exports.export`."""
    images = explained_images(explanations)
    write_images(images, folder / "explained", folder / "heatmaps")
    objects = [
        (image_id, image.heatmap_name(number), explanation)
        for image_id, image in enumerate(images, 1)
        for number, explanation in enumerate(image.explanations)
    ]
    names = {explanation.target: explanation.name for explanation in explanations}
    content = {
        "images": [
            {"id": number, "file_name": image.name, "width": image.size[0], "height": image.size[1]}
            for number, image in enumerate(images, 1)
        ],
        "categories": [{"id": index, "name": name} for index, name in sorted(names.items())],
        "annotations": [
            {
                "id": number,
                "image_id": image_id,
                "category_id": explanation.target,
                "bbox": (box := extent(explanation)),
                "area": box[2] * box[3],
                "iscrowd": 0,
                "score": explanation.probability,
                "heatmap": f"heatmaps/{heatmap}",
                "architecture": explanation.architecture,
            }
            for number, (image_id, heatmap, explanation) in enumerate(objects, 1)
        ],
    }
    path = folder / "annotations" / "instances_explained.json"
    write_atomically(path, f"{json_text(content, 1)}\n".encode(), make_folder=True)
    return path
