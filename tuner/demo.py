"""The embedded job of ``make tune``: handwritten digits, a small network, nothing to download."""

from pathlib import Path

from tracer import Tracer, load_model, load_weights
from tracer.documents import Document
from tuner.datasets import load_dataset
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
        "tracer": {"linear": 0.7, "convolution": 0.3},
        "policy": {"kind": "ucb1", "budget": 600},
    }
    return make_job(Document("tuner demo", values))


def explain(spec: JobSpec, weights: Path, folder: Path) -> list[Path]:
    """Explain the data set's last images with a weight file; returns where the overlay pictures are.

    Args:
        spec: The job.
        weights: The weight file it learned.
        folder: Where images, overlays and their JSON are put.

    Raises:
        TracerError: If the weight file does not fit, or a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(spec.dataset)
    learned = load_weights(weights)
    tracer = Tracer(load_model(spec.architecture, spec.checkpoint), learned.tracer, learned)
    overlays = []
    for index in range(len(dataset) - EXPLAINED, len(dataset)):
        image = folder / f"{dataset[index].id}.png"
        dataset[index].open().save(image)
        overlays.append(tracer.explain(image).save(folder))
    return overlays
