import pickle

import numpy as np

from tuner.datasets import load_dataset
from tuner.spec.job import DigitsSpec


def test_digits_are_a_data_set_of_canvases_with_their_boxes() -> None:
    dataset = load_dataset(DigitsSpec(kind="digits"), labelled=True)
    assert len(dataset) == 1000
    assert {image.label for image in dataset.images} == set(range(10))
    travelled = pickle.loads(pickle.dumps(dataset))
    assert travelled[3].open().size == (64, 64)
    assert travelled.sha256 == dataset.sha256
    assert np.array_equal(travelled[3].open(), dataset[3].open())
