import pickle
from pathlib import Path

import numpy as np
import pytest

from tuner.datasets import load_dataset
from tuner.errors import DatasetError
from tuner.spec.job import ImagenetSpec

IMAGES = "ILSVRC/Data/CLS-LOC/val"
NOTES = "ILSVRC/Annotations/CLS-LOC/val"
HEADER = "ImageId,PredictionString\n"


def spec(root: Path, **more: object) -> ImagenetSpec:
    return ImagenetSpec(kind="imagenet", root=root, **more)


@pytest.fixture
def root(tmp_path: Path, save, write) -> Path:
    save(tmp_path / IMAGES / "ILSVRC2012_val_00000001.JPEG")
    save(tmp_path / IMAGES / "ILSVRC2012_val_00000002.JPEG", mode="L")
    write(
        tmp_path / "LOC_val_solution.csv",
        HEADER + "ILSVRC2012_val_00000001,n02 10 20 30 40 \nILSVRC2012_val_00000002,n01 0 0 99 79 n01 5 5 9 9 \n",
    )
    write(tmp_path / "LOC_synset_mapping.txt", "n01 tench, Tinca tinca\nn02 goldfish, Carassius auratus\n")
    return tmp_path


def test_kaggles_table_gives_half_open_boxes_and_torchvisions_labels(root: Path) -> None:
    dataset = load_dataset(spec(root))
    assert [dataset[i].id for i in range(len(dataset))] == ["ILSVRC2012_val_00000001", "ILSVRC2012_val_00000002"]
    assert dataset[0].boxes.tolist() == [[10, 20, 31, 41]]
    assert dataset[1].boxes.tolist() == [[0, 0, 100, 80], [5, 5, 10, 10]]
    assert (dataset[0].label, dataset[1].label) == (1, 0)
    assert dataset[1].open().mode == "RGB"
    assert dataset[1].open().size == (dataset[1].width, dataset[1].height) == (100, 80)


def test_annotations_hold_the_same_images_as_the_table(root: Path, write, annotation) -> None:
    table = load_dataset(spec(root))
    write(root / NOTES / "ILSVRC2012_val_00000001.xml", annotation(("n02", 10, 20, 30, 40)))
    write(root / NOTES / "ILSVRC2012_val_00000002.xml", annotation(("n01", 0, 0, 99, 79), ("n01", 5, 5, 9, 9)))
    (root / "LOC_val_solution.csv").unlink()
    assert load_dataset(spec(root)).sha256 == table.sha256
    assert load_dataset(spec(root / "ILSVRC", labels=root / "LOC_synset_mapping.txt")).sha256 == table.sha256


def test_training_images_lie_in_the_folder_of_their_synset(root: Path, save, write) -> None:
    save(root / "ILSVRC/Data/CLS-LOC/train/n01/n01_7.JPEG")
    write(root / "LOC_train_solution.csv", HEADER + "n01_7,n01 1 2 100 80\n")
    assert load_dataset(spec(root, split="train"))[0].boxes.tolist() == [[1, 2, 100, 80]]


def test_without_the_mapping_labels_are_not_known(root: Path) -> None:
    (root / "LOC_synset_mapping.txt").unlink()
    assert load_dataset(spec(root))[0].label is None
    with pytest.raises(DatasetError, match=r"csv:2: image ILSVRC2012_val_00000001 has no label"):
        load_dataset(spec(root), labelled=True)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ("n01 10 20 30", r"csv:2: not an image and its boxes; write ImageId,synset x0 y0 x1 y1"),
        ("n01 10 20 30 wide", r"csv:2: could not convert string to float: 'wide'; write synset x0 y0 x1 y1"),
        ("n03 10 20 30 40", r"csv:2: class 'n03' .*is not in .*LOC_synset_mapping\.txt; add it"),
        ("", r"csv:2: image ILSVRC2012_val_00000001 has no box"),
        ("n01 30 20 30 40", r"csv:2: image ILSVRC2012_val_00000001: box \(30, 20, 30, 40\) is empty"),
        ("n01 30 20 29 40", r"csv:2: .* box \(30, 20, 29, 40\) is inverted; write x0 < x1"),
        ("n01 30 20 101 40", r"csv:2: .* box \(30, 20, 102, 41\) reaches outside its image of 100 x 80 pixels"),
        ("n01 10 20 30 40 " * 9000, r"csv:2: not CSV \(field larger than field limit \(131072\)\); mend the line"),
        ("n01 -2 20 50 40", r"csv:2: .*reaches outside"),
        ("n01 nan 20 50 40", r"csv:2: .*is not finite"),
    ],
)
def test_a_bad_box_is_named_with_file_and_line(root: Path, write, boxes: str, expected: str) -> None:
    write(root / "LOC_val_solution.csv", f"{HEADER}ILSVRC2012_val_00000001,{boxes}\n")
    with pytest.raises(DatasetError, match=expected):
        load_dataset(spec(root))


def test_a_bad_box_of_an_annotation_is_named_with_its_line(root: Path, write, annotation) -> None:
    (root / "LOC_val_solution.csv").unlink()
    write(root / NOTES / "ILSVRC2012_val_00000001.xml", annotation(("n01", 0, 0, 9, 9), ("n01", 9, 0, 1, 1)))
    with pytest.raises(DatasetError, match=r"ILSVRC2012_val_00000001\.xml:9: .*is inverted"):
        load_dataset(spec(root))
    write(root / NOTES / "ILSVRC2012_val_00000001.xml", "<annotation>\n<object>\n</annotation>")
    with pytest.raises(DatasetError, match=r"00000001\.xml:3: not XML \(mismatched tag\)"):
        load_dataset(spec(root))


def test_a_box_that_says_the_width_itself_is_cut_to_the_image(root: Path, write) -> None:
    write(root / "LOC_val_solution.csv", HEADER + "ILSVRC2012_val_00000001,n01 0 0 100 80\n")
    assert load_dataset(spec(root))[0].boxes.tolist() == [[0, 0, 100, 80]]


def test_a_folder_with_neither_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"neither LOC_val_solution\.csv nor .* check dataset\.root"):
        load_dataset(spec(tmp_path))


def test_another_table_is_refused(root: Path, write) -> None:
    write(root / "LOC_val_solution.csv", "image,x0\na,1\n")
    with pytest.raises(DatasetError, match=r"csv:1: the first line is not ImageId,PredictionString"):
        load_dataset(spec(root))


def test_the_data_set_travels_without_pixels(root: Path) -> None:
    dataset = load_dataset(spec(root))
    travelled = pickle.loads(pickle.dumps(dataset))
    assert travelled.sha256 == dataset.sha256
    assert len(pickle.dumps(dataset)) < 5000
    assert travelled[0].open().tobytes() == dataset[0].open().tobytes()


def test_the_real_images_load(data: Path) -> None:
    dataset = load_dataset(spec(data / "imagenet"), labelled=True)
    assert len(dataset) == 400
    assert (dataset[0].id, dataset[0].label) == ("ILSVRC2012_val_00000001", 65)
    reach = np.array([[image.width - image.boxes[:, 2].max(), image.boxes[:, 0].min()] for image in dataset.images])
    assert reach.min() == 0  # boxes touch both borders and pass none: corners count from 0 and are inclusive
    assert dataset[33].open().mode == "RGB"
