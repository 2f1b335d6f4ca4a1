"""Images with the boxes of their instances, from the layouts they come in."""

from tuner.datasets.image import Dataset, ImageList, LabelledImage, pin, sample
from tuner.datasets.load import load_dataset

__all__ = ["Dataset", "ImageList", "LabelledImage", "load_dataset", "pin", "sample"]
