"""The embedded job of ``make tune``: handwritten digits, a small network, nothing to download."""

from pathlib import Path

from tracer import Tracer, load_model, load_weights
from tracer.documents import Document
from tracer.files import write_atomically
from tuner.datasets import load_dataset, sample
from tuner.spec.job import JobSpec, make_job

IMAGES = 200
EXPLAINED = 3


def digits_job(name: str) -> JobSpec:
    """The job; as ``examples/digits.yaml``.

    Raises:
        SpecError: If the name is none for a job.
    """
    values = {
        "name": name,
        "architecture": "tuner.digits:digits_cnn",
        "dataset": {"kind": "digits", "images": IMAGES},
        "search": "joint",
        "policy": {"kind": "race", "budget": 32160},
        "base": {"flatten": "positive", "box": "patch"},
        "arms": {
            "location": ["peak", "field"],
            "convolution": [1, "positive"],
            "depth": ["image", 4, 8],
            "spread": [4, 8, 16, 24],
            "cut": [0.1, 0.2, 0.4, "mass 0.6", "mass 0.8"],
        },
    }
    return make_job(Document("tuner demo", values))


def explain(spec: JobSpec, weights: Path, folder: Path) -> list[Path]:
    """Explain some images that were kept from the bandits, by the base and by a weight file; returns the pictures.

    Args:
        spec: The job.
        weights: The weight file it learned.
        folder: Where the images and the pictures are put, base and learned settings in one picture.

    Raises:
        TracerError: If the weight file does not fit, or a file cannot be written.
    """
    from tracer import plots

    folder.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(spec.dataset)
    tracer = Tracer(load_model(spec.architecture, spec.checkpoint))
    settings = [spec.settings, load_weights(weights).settings]
    pictures = []
    for index in sample(dataset, spec.dataset.images, spec.seed)[-EXPLAINED:]:
        labelled = dataset[int(index)]
        image = labelled.open()
        image.save(folder / f"{labelled.id}.png")
        (explanations,) = tracer.explain_classes(image, settings)
        rows = [one.row(title) for one, title in zip(explanations, ("base", "learned"), strict=True)]
        pictures.append(folder / f"{labelled.id}.comparison.png")
        write_atomically(pictures[-1], plots.png(plots.figure(rows)))
    return pictures
