"""A job that can run: its configuration with the images it samples."""

import hashlib
from dataclasses import dataclass, field

from tuner.datasets import Dataset, load_dataset, pin, sample
from tuner.spec.job import JobSpec
from tuner.workers.identity import Identity


@dataclass(frozen=True)
class Plan:
    """A job that can run: its configuration with the images it samples.

    Args:
        spec: The configuration.
        dataset: The images.
        images: Index of each sampled image, in the order every arm sees them; those that are kept for the check last.
        checkpoint_sha256: Hash of the file that the network's parameters came from, where there is one.
        identity: Hashes of the network and the code that were loaded; empty where scores come from neither.
    """

    spec: JobSpec
    dataset: Dataset
    images: tuple[int, ...]
    checkpoint_sha256: str | None = None
    identity: Identity = field(default_factory=Identity)

    @property
    def pixels_sha256(self) -> str:
        """A hash of the pixels of the sampled images, in their order."""
        pixels = (self.dataset[index].pixels_sha256 or "not read" for index in self.images)
        return hashlib.sha256("\n".join(pixels).encode()).hexdigest()

    @property
    def tuned_on(self) -> int:
        """How many of the images the bandits see: the first."""
        return self.spec.tuned_on(len(self.images))


def load_images(spec: JobSpec) -> Dataset:
    """The images that a job samples from.

    Raises:
        DatasetError: If an image or a box is bad.
    """
    return load_dataset(spec.dataset, labelled=spec.target == "label")


def make_plan(spec: JobSpec, dataset: Dataset) -> Plan:
    """The plan of a job whose scores come from no network, or from one that is known to be good.

    The sampled images are read: the job goes on with the pixels that it begins with, or not at all.
    """
    images = tuple(int(index) for index in sample(dataset, spec.dataset.images, spec.seed))
    return Plan(spec, pin(dataset, images), images)
