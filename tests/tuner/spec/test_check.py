"""How a job file says what share of the images is kept from the bandits."""

from pathlib import Path

import pytest

from tests.tuner.fakes import make_spec
from tuner.errors import SpecError
from tuner.spec.job import JobSpec, load_job


def load(folder: Path, line: str) -> JobSpec:
    file = folder / "job.yaml"
    file.write_text(f"architecture: resnet18\ndataset: {{kind: digits, images: 100}}\n{line}\n")
    return load_job(file)


@pytest.mark.parametrize("value", ["1", "-0.1", ".nan", "1.5"])
def test_what_is_no_share_is_refused_in_one_line(tmp_path: Path, value: str) -> None:
    with pytest.raises(SpecError, match=r"job.yaml:3: check: .* is no share of the images to keep from the bandits"):
        load(tmp_path, f"check: {value}")


def test_a_third_is_kept_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    assert load(tmp_path, "").tuned_on(100) == 67
    assert load(tmp_path, "check: 0").tuned_on(100) == 100


@pytest.mark.parametrize(("images", "share", "tuned_on"), [(1, 0.33, 1), (2, 0.33, 1), (3, 0.99, 1), (400, 0.33, 268)])
def test_the_bandits_see_at_least_one_image(images: int, share: float, tuned_on: int) -> None:
    assert make_spec(check=share).tuned_on(images) == tuned_on
