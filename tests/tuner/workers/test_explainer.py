"""Any attribution method's maps are read off as the tracer's own are, and tuned by the same bandits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from storage import queries
from storage.engine import Database
from tests.tuner.fakes import make_spec
from tracer import Model, Preprocessing, Settings, Tracer
from tracer.errors import FactoryError
from tracer.reading import boxes_of
from tuner.datasets import load_dataset
from tuner.errors import JobError, SpecError
from tuner.play.lifecycle import create, play
from tuner.play.prepare import prepare
from tuner.results.export import weights
from tuner.spec.job import JobSpec, load_job
from tuner.workers.explainer import ExplainedMaps, Explainer
from tuner.workers.pool import SerialPool
from tuner.workers.scoring import make_scorer

HERE = Path(__file__)
EXAMPLES = HERE.parents[3] / "examples"
PATCH = Settings().changed({"box": "patch"})


def brightness(model: Model) -> Explainer:
    """How bright each pixel is, whatever the class."""
    return lambda batch, targets: batch.mean(1) - batch.mean(1).amin(dim=(1, 2), keepdim=True)


def sides(model: Model) -> Explainer:
    """Two variants: the left half of an image, and the right."""
    left = torch.tensor([[[1.0, 0.0]]])
    return lambda batch, targets: {
        "left": left.expand(len(batch), 1, 2),
        "right": left.flip(2).expand(len(batch), 1, 2),
    }


def one_map_for_all(model: Model) -> Explainer:
    return lambda batch, targets: torch.ones(4, 4)


def negative(model: Model) -> Explainer:
    return lambda batch, targets: batch[:, 0] - 100


def broken(model: Model) -> Explainer:
    raise RuntimeError("no such layer")


def named(factory: str) -> str:
    return f"{HERE}:{factory}"


@pytest.fixture
def model() -> Model:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    return Model("small", module.eval(), Preprocessing(32, 32))


def boxes(reader: ExplainedMaps, images: list[Image.Image], settings: list[Settings]) -> NDArray[np.float64]:
    return np.array([boxes_of(readings) for readings in reader.readings(images, settings)])


def square() -> Image.Image:
    """A white square on black, in the lower right."""
    pixels = np.zeros((60, 40, 3), np.uint8)
    pixels[30:50, 20:36] = 255
    return Image.fromarray(pixels)


def test_a_map_is_boxed_where_it_is_hot(model: Model) -> None:
    (found,) = boxes(ExplainedMaps(model, named("brightness")), [square()], [PATCH.changed({"spread": 0, "cut": 0.5})])
    np.testing.assert_allclose(found[0], [20, 30, 36, 50], atol=5)


def test_the_tracers_own_maps_are_read_off_as_the_tracer_does(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    tracer = Tracer(model)

    def traced(batch: Tensor, targets: Tensor) -> Tensor:
        return torch.stack([torch.from_numpy(t[0].map) for t in tracer.traces(batch, [PATCH], targets.tolist())])

    monkeypatch.setattr("tuner.workers.explainer.make", lambda *_: traced)
    settings = [PATCH.changed({"spread": s, "cut": c}) for s in (0, 8, 20) for c in (0.2, 0.5, "mass 0.6")]
    images = [square(), square().rotate(90, expand=True)]
    np.testing.assert_array_equal(boxes(ExplainedMaps(model, "any"), images, settings), tracer.boxes(images, settings))


def test_variants_are_chosen_by_depth_and_the_last_is_read_by_default(model: Model) -> None:
    settings = [PATCH.changed({"spread": 0, **depth}) for depth in ({"depth": "left"}, {"depth": "right"}, {})]
    (found,) = boxes(ExplainedMaps(model, named("sides")), [square()], settings)
    left, right, default = found
    assert (left[0], right[2]) == (0, 40)
    assert left[2] < right[2]
    assert default.tolist() == right.tolist()
    with pytest.raises(SpecError, match="has no variant 'up'; write depth: and one of left, right"):
        ExplainedMaps(model, named("sides")).readings([square()], [PATCH.changed({"depth": "up"})])


@pytest.mark.parametrize(
    ("factory", "expected"),
    [
        ("one_map_for_all", r"returns a tensor of shape \(4, 4\) for one image; return maps \(b, rows, columns\)"),
        ("negative", "values below 0 or not finite; clip them"),
    ],
)
def test_what_is_no_map_is_refused_in_one_line(model: Model, factory: str, expected: str) -> None:
    with pytest.raises(SpecError, match=expected):
        ExplainedMaps(model, named(factory)).readings([square()], [PATCH])


def test_a_factory_that_fails_or_is_missing_is_named(model: Model) -> None:
    with pytest.raises(FactoryError, match="could not be made: RuntimeError: no such layer"):
        ExplainedMaps(model, named("broken"))
    with pytest.raises(FactoryError, match=r"has no 'brightnes' \(nearest: brightness"):
        ExplainedMaps(model, named("brightnes"))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "arms: {location: [peak, center]}",
            "job.yaml:4: arms.location: location is a setting of the tracer; under arms",
        ),
        ("seed: 1", "cur is a setting of the tracer; under arms of another explainer write some of depth, spread, cut"),
        ("arms: {cut: [0.2]}\nbase: {pre: 0.5}", "job.yaml:5: base.pre: pre is a setting of the tracer; under base"),
        ("arms: {cut: [0.2]}\ntracer: {box: points, flip: true}", "job.yaml:5: tracer: says how the tracer traces"),
        ("arms: {cut: [2]}", "job.yaml:4: arms.cut.0: cut=2"),
    ],
)
def test_settings_of_the_tracer_are_refused_with_their_place(tmp_path: Path, lines: str, expected: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"architecture: resnet18\ndataset: {{kind: digits}}\nexplainer: mine.py:make\n{lines}\n")
    with pytest.raises(SpecError) as caught:
        load_job(file)
    assert expected in str(caught.value)
    file.write_text("architecture: resnet18\ndataset: {kind: digits}\nexplainer: tracr\narms: {cut: [0.2]}\n")
    with pytest.raises(SpecError, match="explainer: 'tracr' is no explainer; write tracer, MODULE:FACTORY"):
        load_job(file)


def explained_job(explainer: str, **changes: object) -> JobSpec:
    job: dict[str, object] = {
        "architecture": "tuner.digits:digits_cnn",
        "dataset": {"kind": "digits", "images": 12},
        "explainer": explainer,
        "arms": {"spread": [0, 8], "cut": [0.3, "mass 0.5"]},
        "search": "joint",
        "policy": {"kind": "race", "budget": 100},
        "check": 0.25,
    }
    return make_spec(**job | changes)


def test_an_explainer_is_tuned_and_checked_by_the_same_bandits(tmp_path: Path) -> None:
    spec = explained_job(named("brightness"))
    assert spec.settings.config.box == "patch"
    plan = prepare(spec)
    with Database.open(f"sqlite:///{tmp_path}/tuner.db", create=True) as database:
        create(database, plan)
        play(database, plan, lambda: SerialPool(make_scorer(spec, load_dataset(spec.dataset))))
        with database.reading() as session:
            (bandit,) = queries.bandits(session, "fake")
            assert bandit.pulls
            assert queries.job(session, "fake").checked == 3
            with pytest.raises(JobError, match="which no weight file of the tracer describes"):
                weights(session, queries.job(session, "fake"))


def test_a_variant_that_is_missing_is_found_before_the_job_is_stored() -> None:
    with pytest.raises(SpecError, match="has no variant 'up'"):
        prepare(explained_job(named("sides"), arms={"depth": ["left", "up"]}))


def test_the_example_explains_with_grad_cam_pp_of_a_library() -> None:
    pytest.importorskip("pytorch_grad_cam")
    torch.manual_seed(0)
    from torchvision.models import resnet18

    model = Model("resnet18", resnet18(weights=None).eval(), Preprocessing(64, 64))
    explained = ExplainedMaps(model, f"{EXAMPLES / 'grad_cam_pp.py'}:grad_cam_pp")
    settings = [PATCH.changed({"depth": depth, "spread": 8, "cut": 0.4}) for depth in ("layer2", "layer3", "layer4")]
    with torch.inference_mode():
        found = boxes(explained, [square()], settings)
    assert found.shape == (1, 3, 4)
    assert (found[..., 2:] <= [40, 60]).all()
    assert len(np.unique(found[0], axis=0)) > 1
