"""An explanation draws, saves and loads itself."""

import base64
import io
import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from tracer import errors
from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.explanation import Explanation
from tracer.files import sha256
from tracer.maps import patch_boxes
from tracer.models import Model
from tracer.plots import figure, png
from tracer.reading import CELL, Trace
from tracer.settings import Settings

MODEL = Model.of(nn.Sequential(), "own:net")
MODEL = replace(MODEL, categories=("cat", "dog"), checkpoint_sha256="ab" * 32)
POINTS = Settings(config=TraceConfig(box="points"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (60, 90, 3), dtype=np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def trace() -> Trace:
    """Twenty points in the middle, one alone in a corner."""
    middle = [(10 + row, 12 + column) for row in range(4) for column in range(5)]
    shares = np.array([*[0.04] * 20, 0.2])
    return Trace(np.array([*middle, (31, 31)]), shares, (32, 32), 1, 0.75, "image", (32, 32))


@pytest.fixture
def explanation(trace: Trace, source: Path) -> Explanation:
    settings = Settings(Alpha(1, 0.5, 0.1), TraceConfig(box="points"), {"0": Alpha(1, 0, 0)})
    return Explanation.of(trace, Image.open(source), MODEL, settings, source)


def test_box_leaves_the_outlier_out_and_lies_in_the_original_image(explanation: Explanation) -> None:
    assert explanation.outliers.tolist() == [False] * 20 + [True]
    assert explanation.box.tolist() == [12 * 90 / 32, 10 * 60 / 32, 17 * 90 / 32, 14 * 60 / 32]


def test_patch_box_comes_from_the_saliency(trace: Trace, source: Path) -> None:
    config = TraceConfig(box="patch", cut=0.6, spread=9)
    drawn = Explanation.of(trace, Image.open(source), MODEL, Settings(config=config))
    heat = trace.saliency(9, (90, 60), CELL)
    assert heat.shape == (8, 8)
    assert drawn.box.tolist() == patch_boxes(heat, [0.6], (90, 60))[0].tolist()


def test_heatmap_counts_points_and_saliency_their_shares(explanation: Explanation) -> None:
    assert explanation.heatmap.shape == explanation.saliency.shape == (32, 32)
    assert explanation.heatmap.max() == explanation.saliency.max() == 1
    corner = (31, 31)
    assert explanation.saliency[corner] > explanation.heatmap[corner]


def test_the_headline_says_what_was_predicted_where_another_class_is_explained(trace: Trace, source: Path) -> None:
    for predicted, said in (
        (None, "dog 75.0%"),
        ((1, 0.75), "dog 75.0%"),
        ((0, 0.2), "dog 75.0% (predicted: cat 20.0%)"),
    ):
        one = Explanation.of(replace(trace, predicted=predicted), Image.open(source), MODEL, POINTS, source)
        one.save(source.parent)
        loaded = Explanation.load(source.parent / "photo.explanation.json")
        assert one.headline == loaded.headline == said


def test_a_class_without_evidence_has_no_box_and_says_so(trace: Trace, source: Path) -> None:
    empty = replace(trace, points=trace.points[:0], shares=trace.shares[:0])
    for config in (TraceConfig(), TraceConfig.paper()):
        one = Explanation.of(empty, Image.open(source), MODEL, Settings(config=config), source)
        assert one.whereabouts == f"no evidence at {trace.depth}"
        assert not one.box.any()
        assert "no evidence" in one._repr_html_()
        loaded = Explanation.load(one.save(source.parent).with_suffix(".json"))
        assert len(loaded.points) == 0


def test_it_is_frozen(explanation: Explanation) -> None:
    with pytest.raises(FrozenInstanceError):
        explanation.target = 0  # type: ignore[misc]


def test_json_says_what_was_explained_and_how(explanation: Explanation, source: Path) -> None:
    content = json.loads(json.dumps(explanation.to_dict()))
    assert content["image"] == {"path": str(source), "sha256": sha256(source), "width": 90, "height": 60}
    assert content["class"] == {"index": 1, "name": "dog", "probability": 0.75}
    assert content["model"]["checkpoint_sha256"] == "ab" * 32
    assert content["alpha"] == {"cur": 1, "suc": 0.5, "pre": 0.1}
    assert content["layers"] == {"0": {"cur": 1, "suc": 0, "pre": 0}}
    assert content["tracer"]["successor"] == "excess"
    assert content["model"]["input"] == {"height": 32, "width": 32}
    assert content["depth"] == {"layer": "image", "rows": 32, "columns": 32}
    assert set(content["versions"]) == {"bandit-tracer", "numpy", "torch"}
    last = {"row": 31, "column": 31, "x": 88.59, "y": 59.06, "share": 0.2, "outlier": True}
    assert content["points"][-1] == last
    assert sum(point["share"] for point in content["points"]) == pytest.approx(1)


def test_saved_explanation_is_loaded_as_it_was(explanation: Explanation, tmp_path: Path) -> None:
    picture = explanation.save(tmp_path / "new" / "folder")
    assert picture == tmp_path / "new" / "folder" / "photo.explanation.png"
    with Image.open(picture) as drawn:
        assert drawn.width > 1000
    loaded = Explanation.load(picture.with_suffix(".json"))
    assert loaded.to_dict() == explanation.to_dict()
    assert loaded.image is None
    assert loaded.picture().tobytes() == explanation.picture().tobytes()
    assert sorted(path.name for path in picture.parent.iterdir()) == [
        *("photo.explanation.json", "photo.explanation.png"),
    ]


def test_an_image_that_was_no_file_is_saved_too(trace: Trace, tmp_path: Path) -> None:
    drawn = Explanation.of(trace, Image.new("L", (40, 80), 9), MODEL, POINTS)
    assert drawn.save(tmp_path, stem="grey").name == "grey.explanation.png"
    loaded = Explanation.load(tmp_path / "grey.explanation.json")
    assert loaded.source is None
    with pytest.raises(errors.ImageError, match="was no file"):
        loaded.plot()


def test_a_changed_source_is_not_shown_for_the_old_one(explanation: Explanation, source: Path) -> None:
    loaded = Explanation.load(explanation.save(source.parent).with_suffix(".json"))
    Image.new("RGB", (90, 60)).save(source)
    with pytest.raises(errors.ImageError, match=r"photo\.png: changed since"):
        loaded.picture()
    source.unlink()
    with pytest.raises(errors.ImageError, match="no such image"):
        loaded.picture()


def test_plot_shows_the_map_that_the_box_is_cut_from(trace: Trace, source: Path) -> None:
    drawn = Explanation.of(trace, Image.open(source), MODEL, Settings(config=TraceConfig(box="patch")))
    panel = drawn.plot().axes[2]
    assert panel.get_title() == "map"
    assert np.array_equal(panel.images[-1].get_array(), drawn.saliency)


def test_plot_draws_four_panels_and_touches_no_global_state(explanation: Explanation) -> None:
    before = dict(mpl.rcParams)
    drawn = explanation.plot()
    assert [axis.get_title() for axis in drawn.axes] == ["image", "points", "heatmap", "box"]
    assert dict(mpl.rcParams) == before
    mine = Figure()
    assert explanation.plot(mine.subplots(1, 4)) is mine
    assert len(mine.axes[3].patches) == 2


def test_points_beyond_number_none_are_drawn(trace: Trace, source: Path) -> None:
    nothing = replace(trace, points=np.zeros((0, 2), dtype=np.int64), shares=np.zeros(0))
    drawn = Explanation.of(nothing, Image.open(source), MODEL, POINTS, source)
    assert drawn.box.tolist() == [0.0] * 4
    loaded = Explanation.load(drawn.save(source.parent).with_suffix(".json"))
    assert loaded.points.shape == (0, 2)


def test_names_with_dollars_are_no_formulas(explanation: Explanation) -> None:
    png(figure([replace(explanation, name="$\\frac$").row("a$_{$.yaml")]))


def test_two_explanations_stand_one_above_the_other(explanation: Explanation) -> None:
    other = replace(explanation, settings=Settings(Alpha(0, 1, 1)))
    drawn = figure([explanation.row("a.yaml"), other.row("b.yaml")])
    assert len(drawn.axes) == 8
    assert drawn.get_figheight() > 1.9 * explanation.plot().get_figheight()


@pytest.mark.parametrize("size", [(1, 1), (600, 4), (4, 600)])
def test_images_of_any_proportions_are_drawn(trace: Trace, tmp_path: Path, size: tuple[int, int]) -> None:
    picture = Explanation.of(trace, Image.new("RGB", size, "grey"), MODEL, POINTS).save(tmp_path)
    with Image.open(picture) as drawn:
        assert drawn.width >= 700  # room for the heading


def saved(share: float = 1, layers: object = None) -> str:
    """The text of a saved explanation."""
    content = {
        "format": 2,
        "image": {"width": 4, "height": 3, "path": None, "sha256": None},
        "model": {"input": {"height": 8, "width": 8}, "architecture": "net", "checkpoint_sha256": None},
        "class": {"index": 0, "name": "cat", "probability": 0.5},
        "box": [0, 0, 1, 1],
        "depth": {"layer": "image", "rows": 8, "columns": 8},
        "points": [{"row": 0, "column": 0, "share": share}],
        "alpha": {},
        "layers": layers,
    }
    return json.dumps(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not a saved explanation"),
        ("[]", "not a saved explanation"),
        ("{}", "not a saved explanation (KeyError: 'format')"),
        ('{"format": 1}', "format 1 instead of 2"),
        ('{"format": 2, "image": {}}', "not a saved explanation (KeyError"),
        (saved(share=10**400), "not a saved explanation (OverflowError"),
        (saved(layers=[]), "not a saved explanation (AttributeError"),
    ],
)
def test_a_file_that_is_no_explanation_is_one_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(errors.ExplanationError) as raised:
        Explanation.load(path)
    assert str(raised.value).startswith(f"{path}: {said}")
    assert "\n" not in str(raised.value)


def test_a_missing_explanation_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.ExplanationError, match="no such explanation"):
        Explanation.load(tmp_path / "missing.json")


def test_a_folder_that_cannot_be_written_is_named(explanation: Explanation, source: Path) -> None:
    with pytest.raises(errors.OutputError, match="cannot write"):
        explanation.save(source)


def test_the_overlay_shows_the_map_on_the_image_and_the_box(explanation: Explanation) -> None:
    plain, boxed = explanation.overlay(box=False), explanation.overlay()
    assert plain.size == boxed.size == (90, 60)
    before, after = (np.asarray(picture, dtype=float) for picture in (explanation.picture(), plain))
    changed = np.abs(after - before).mean(axis=2)
    x0, y0, x1, y1 = explanation.box.astype(int)
    assert changed[y0:y1, x0:x1].mean() > changed[:, :10].mean()  # the hotter, the less of the image is seen
    edges = np.argwhere((np.asarray(boxed) != np.asarray(plain)).any(axis=2))
    assert edges.min(axis=0).tolist() == [round(explanation.box[1]), round(explanation.box[0])]


def test_a_notebook_shows_the_overlay_with_a_caption(explanation: Explanation) -> None:
    shown = explanation._repr_png_()
    assert shown is not None
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown))), np.asarray(explanation.overlay()))
    page = explanation._repr_html_()
    assert base64.b64encode(shown).decode() in page
    assert "<b>dog</b> 75.0%, box (34, 19, 48, 26), own:net, read at image" in page


def test_a_notebook_shows_the_caption_alone_where_the_image_has_gone(explanation: Explanation) -> None:
    gone = replace(explanation, image=None, source=None, name="<script>")
    assert gone._repr_png_() is None
    assert "<img" not in gone._repr_html_()
    assert "<b>&lt;script&gt;</b>" in gone._repr_html_()
