"""The ``tracer`` command, run as a user runs it, on a small network of the user's own."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from tracer import images, trace
from tracer.cli import main
from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.models import load_model
from tracer.network import Network
from tracer.weights import Weights

OWN = """
from torch import nn

from tracer import Preprocessing


def net():
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    )
    model.preprocessing = Preprocessing(32, 32)
    model.categories = ("cat", "dog", "tiger cat")
    return model
"""


class Workplace:
    """A folder with a network, its parameters, a weight file and three photographs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "own.py").write_text(OWN)
        torch.manual_seed(0)
        torch.save(load_model(f"{root}/own.py:net").module.state_dict(), root / "own.pth")
        Weights("own:net", Alpha(1, 1, 0), tracer=TraceConfig(location="center")).save(root / "first.yaml")
        Weights("own:net", Alpha(1, 0.5, 1)).save(root / "second.yaml")
        (root / "photos" / "more").mkdir(parents=True)
        rng = np.random.default_rng(0)
        for name in ("photos/a.png", "photos/b.JPEG", "photos/more/a.png"):
            Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(root / name)
        (root / "photos" / "notes.txt").write_text("no image")

    def run(self, *arguments: str) -> Result:
        """``tracer explain`` with the network, its parameters and ``out`` as the folder."""
        own = ["--arch", f"{self.root}/own.py:net", "--checkpoint", str(self.root / "own.pth")]
        return CliRunner().invoke(main, ["explain", "-o", str(self.out), *own, *arguments], catch_exceptions=False)

    @property
    def out(self) -> Path:
        return self.root / "out"

    def written(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir()) if self.out.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def refused(result: Result, place: Workplace, said: str) -> None:
    """One line on stderr, exit status 2, nothing written."""
    assert said in result.stderr
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not place.out.exists()


def test_an_image_gets_a_picture_and_json(place: Workplace) -> None:
    result = place.run(str(place.root / "photos/a.png"))
    assert result.exit_code == 0, result.stderr
    assert place.written() == ["a.explanation.json", "a.explanation.png"]
    content = json.loads((place.out / "a.explanation.json").read_text())
    assert content["alpha"] == {"cur": 1, "suc": 1, "pre": 1}
    assert f": {content['class']['name']} " in result.stdout
    assert result.stdout.endswith(f"-> {place.out / 'a.explanation.png'}\n")


def test_folders_and_globs_are_images_and_equal_names_do_not_collide(place: Workplace) -> None:
    result = place.run(str(place.root / "photos"), str(place.root / "photos/**/a.png"))
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 3
    assert [name for name in place.written() if name.endswith("png")] == [
        *("a-2.explanation.png", "a.explanation.png", "b.explanation.png"),
    ]
    sources = {json.loads(path.read_text())["image"]["path"] for path in place.out.glob("*.json")}
    assert len(sources) == 3


def test_json_goes_to_stdout_and_nothing_to_the_disk(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.root)
    result = CliRunner().invoke(
        main, ["explain", "photos", "--arch", "own.py:net", "--checkpoint", "own.pth", "--format", "json"]
    )
    assert [each["image"]["path"] for each in json.loads(result.stdout)] == ["photos/a.png", "photos/b.JPEG"]
    assert not (place.root / "explanations").exists()


def test_json_and_a_folder_give_both(place: Workplace) -> None:
    result = place.run(str(place.root / "photos/a.png"), "-f", "json")
    assert json.loads(result.stdout)[0] == json.loads((place.out / "a.explanation.json").read_text())


@pytest.mark.parametrize("target", ["2", "tiger cat", "TIGER CAT"])
def test_target_is_an_index_or_a_name(place: Workplace, target: str) -> None:
    result = place.run(str(place.root / "photos/a.png"), "--target", target, "-f", "json")
    assert json.loads(result.stdout)[0]["class"]["index"] == 2


def test_top_n_explains_the_most_probable_classes_in_order(place: Workplace) -> None:
    result = place.run(str(place.root / "photos/a.png"), "--top-n", "3", "-f", "json")
    probabilities = [each["class"]["probability"] for each in json.loads(result.stdout)]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, rel=1e-5)
    assert len([name for name in place.written() if name.endswith(".png")]) == 3
    assert any("tiger-cat" in name for name in place.written())


def test_settings_are_asked_for_with_and_without_a_weight_file(place: Workplace) -> None:
    image, first = str(place.root / "photos/a.png"), str(place.root / "first.yaml")
    asked = [
        f"--set={each}" for each in ("location=peak", "box=patch", "cut=mass 0.6", "depth=2", "pre=25e-2", "spread=1e1")
    ]
    for weights in ([], ["--weights", first]):
        (content,) = json.loads(place.run(image, *weights, *asked, "-f", "json").stdout)
        chosen = content["tracer"]
        assert (chosen["location"], chosen["box"], chosen["cut"]) == ("peak", "patch", "mass 0.6")
        assert (content["alpha"]["pre"], chosen["spread"]) == (0.25, 10)
        assert content["depth"] == {"layer": "2", "rows": 16, "columns": 16}
        assert len(content["points"]) <= 16 * 16


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("dept=16", "--set: unknown setting 'dept' (nearest: depth"),
        ("cut=2", "--set: cut=2: write a share of the map's maximum between 0 and 1, or 'mass 0.6'"),
        ("pre=-1", "--set: alpha pre=-1: a weight is a finite number of at least 0"),
        ("pre=big", "--set: alpha pre='big': a weight is a finite number of at least 0"),
        ("location=middle", "--set: location='middle': write 'peak'"),
        ("depth=3.conv", "depth '3.conv': no cut of the network"),
    ],
)
def test_a_bad_setting_is_one_line(place: Workplace, change: str, said: str) -> None:
    refused(place.run(str(place.root / "photos/a.png"), "--set", change), place, said)


@pytest.mark.parametrize("change", ["depth", "cut=[", "cut=: :", "cut=!!float 0.5"])
def test_a_change_that_is_no_setting_and_value_is_bad_usage(place: Workplace, change: str) -> None:
    result = place.run(str(place.root / "photos/a.png"), "--set", change)
    assert result.exit_code == 2
    assert f"--set {change}: " in result.stderr
    assert not place.out.exists()


def test_a_layer_that_is_no_cut_is_refused_with_the_nearest(place: Workplace) -> None:
    image = str(place.root / "photos/a.png")
    refused(place.run(image, "--set", "depth=imag"), place, "depth 'imag': no cut of the network (nearest: image); ")
    said = (
        "depth '5': no cut of the network; write 'image', a stride (1, 2), 'last' and a stride, or one of image, 0, 1, "
    )
    refused(place.run(image, "--set", "depth='5'"), place, said)


@pytest.fixture
def learned(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """Weights that come with the package for the network."""
    found = Weights(
        "own:net",
        Alpha(1, 0.5, 0.25),
        tracer=TraceConfig(depth=2, box="patch"),
        check={"images": 133, "base": 0.43, "learned": 0.64, "difference": 0.21, "interval": [0.16, 0.26]},
    )
    folder = place.root / "learned"
    folder.mkdir()
    found.save(folder / "own:net.yaml")
    monkeypatch.setattr("tracer.weights._LEARNED", folder)
    return found


def test_learned_settings_are_used_by_default_and_named(place: Workplace, learned: Weights) -> None:
    result = place.run(str(place.root / "photos/a.png"))
    content = json.loads((place.out / "a.explanation.json").read_text())
    assert content["alpha"] == {"cur": 1, "suc": 0.5, "pre": 0.25}
    assert content["tracer"] == asdict(learned.tracer)
    assert result.stderr == (
        "settings: learned for own:net, from the package; learned settings box 64% of the objects, the base 43%: "
        "+21 points, between +16 and +26, on 133 images that were not used to learn\n"
    )


@pytest.mark.usefixtures("learned")
def test_the_defaults_or_a_file_may_be_asked_for_instead_of_learned_settings(place: Workplace) -> None:
    image = str(place.root / "photos/a.png")
    result = place.run(image, "--weights", "none")
    assert result.stderr == "settings: the defaults\n"
    content = json.loads((place.out / "a.explanation.json").read_text())
    assert content["tracer"] == asdict(TraceConfig())
    assert place.run(image, "--weights", str(place.root / "first.yaml")).stderr == "settings: first.yaml\n"


@pytest.mark.usefixtures("learned")
def test_learned_settings_may_be_compared_with_the_defaults(place: Workplace) -> None:
    result = place.run(str(place.root / "photos/a.png"), "--compare", "none", "-f", "json")
    assert [each["tracer"]["box"] for each in json.loads(result.stdout)] == ["patch", TraceConfig().box]


def test_comparing_several_classes_decodes_the_image_once_and_runs_the_network_once(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **named)

        return call

    monkeypatch.setattr(images, "check_image", counted("decoded", images.check_image))
    monkeypatch.setattr(trace, "read_image", counted("decoded", trace.read_image))
    monkeypatch.setattr(Network, "run", counted("forward", Network.run))
    monkeypatch.setattr(Network, "__init__", counted("exported", Network.__init__))
    files = ["--weights", str(place.root / "first.yaml"), "--compare", str(place.root / "second.yaml")]
    result = place.run(str(place.root / "photos/a.png"), *files, "--top-n", "3", "-f", "json")
    assert len(json.loads(result.stdout)) == 6
    assert len(place.written()) == 9
    assert calls == {"decoded": 1, "forward": 1, "exported": 1}


def test_weight_file_brings_its_weights_and_configuration(place: Workplace) -> None:
    result = place.run(str(place.root / "photos/a.png"), "--weights", str(place.root / "first.yaml"), "-f", "json")
    (content,) = json.loads(result.stdout)
    assert content["alpha"] == {"cur": 1, "suc": 1, "pre": 0}
    assert content["tracer"]["location"] == "center"


def test_compare_draws_two_weight_files_side_by_side(place: Workplace) -> None:
    files = ["--weights", str(place.root / "first.yaml"), "--compare", str(place.root / "second.yaml")]
    result = place.run(str(place.root / "photos/a.png"), *files, "-f", "json")
    assert [each["alpha"]["suc"] for each in json.loads(result.stdout)] == [1, 0.5]
    assert place.written() == ["a.comparison.png", "a.explanation.json", "a.explanation.png"]
    with Image.open(place.out / "a.comparison.png") as both, Image.open(place.out / "a.explanation.png") as one:
        assert both.height > 1.9 * one.height


def test_unknown_architecture_names_the_nearest(place: Workplace) -> None:
    result = CliRunner().invoke(main, ["explain", str(place.root / "photos/a.png"), "--arch", "resnet17"])
    refused(result, place, "architecture 'resnet17' is not a torchvision classifier (nearest: resnet1")


def test_a_transformer_is_refused_with_the_reason(place: Workplace) -> None:
    result = CliRunner().invoke(main, ["explain", str(place.root / "photos/a.png"), "--arch", "vit_b_16"])
    refused(result, place, "is a vision transformer")


def test_a_missing_image_is_told_before_a_network_is_loaded(place: Workplace) -> None:
    arguments = ["explain", str(place.root / "missing.png"), "--arch", "nowhere:network"]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "no such image" in result.stderr) == (2, True)


def test_one_bad_image_among_many_stops_before_anything_is_written(place: Workplace) -> None:
    (place.root / "photos" / "z.png").write_bytes((place.root / "photos/a.png").read_bytes()[:200])
    refused(place.run(str(place.root / "photos")), place, "z.png: corrupt or cut short")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("photos/none.png", "none.png: no such image"),
        ("photos/*.webp", "*.webp: no image there"),
        ("photos/notes.txt", "notes.txt: not an image"),
        ("empty", "empty: no image there"),
        ("x" * 300, "cannot be read (File name too long); check the path"),
    ],
)
def test_a_missing_or_foreign_image_is_named(place: Workplace, image: str, said: str) -> None:
    (place.root / "empty").mkdir()
    refused(place.run(str(place.root / image)), place, said)


def test_a_checkpoint_that_does_not_fit_is_named_with_its_keys(place: Workplace) -> None:
    torch.save({"0.weight": torch.zeros(6, 3, 3, 3)}, place.root / "own.pth")
    refused(place.run(str(place.root / "photos/a.png")), place, "own.pth does not fit the network: missing 0.bias")


def test_weights_of_another_architecture_or_format_are_refused(place: Workplace) -> None:
    image = str(place.root / "photos/a.png")
    Weights("resnet18", Alpha()).save(place.root / "other.yaml")
    said = "other.yaml: weights of architecture 'resnet18' for"
    refused(place.run(image, "--weights", str(place.root / "other.yaml")), place, said)
    refused(place.run(image, "--compare", str(place.root / "other.yaml")), place, said)
    (place.root / "other.yaml").write_text("format: 7\n")
    refused(place.run(image, "--weights", str(place.root / "other.yaml")), place, "format: 7 instead of 1")


def test_layers_that_the_network_lacks_are_refused(place: Workplace) -> None:
    Weights("own:net", Alpha(), {"no.such.layer": Alpha()}).save(place.root / "layers.yaml")
    result = place.run(str(place.root / "photos/a.png"), "--weights", str(place.root / "layers.yaml"))
    refused(result, place, "layers.yaml: layers.no.such.layer: no such layer in the network")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("7", "target 7: "),
        ("tigre cat", "target 'tigre cat': no such class (nearest: tiger cat"),
        ("-1", "target '-1': no such class"),
    ],
)
def test_an_unknown_class_is_refused(place: Workplace, target: str, said: str) -> None:
    refused(place.run(str(place.root / "photos/a.png"), "--target", target), place, said)


def test_more_classes_than_there_are_is_refused(place: Workplace) -> None:
    refused(
        place.run(str(place.root / "photos/a.png"), "--top-n", "4"),
        place,
        "the 4 most probable classes: the network has 3",
    )


def test_target_and_top_n_exclude_one_another(place: Workplace) -> None:
    result = place.run(str(place.root / "photos/a.png"), "--target", "1", "--top-n", "2")
    assert result.exit_code == 2
    assert "give one of them" in result.stderr


def test_an_absent_device_is_refused(place: Workplace) -> None:
    refused(place.run(str(place.root / "photos/a.png"), "--device", "warp"), place, "device 'warp' is not at hand")


def test_a_folder_that_cannot_be_made_fails_with_status_1(place: Workplace) -> None:
    (place.root / "taken").write_text("in the way")
    result = place.run(str(place.root / "photos/a.png"), "-o", str(place.root / "taken" / "out"))
    assert result.exit_code == 1
    said = f"tracer: cannot write {place.root / 'taken' / 'out' / 'a.explanation.png'}"
    assert result.stderr.splitlines()[-1].startswith(said)


def test_architectures_are_listed_in_both_forms() -> None:
    rows = json.loads(CliRunner().invoke(main, ["architectures", "-f", "json"]).stdout)
    by_name = {row["architecture"]: row for row in rows}
    assert by_name["inception_v3"]["input"] == 299
    assert by_name["resnet18"]["parameters"] == 11689512
    assert not {"vit_b_16", "swin_t", "maxvit_t"} & set(by_name)
    table = CliRunner().invoke(main, ["architectures"]).stdout.splitlines()
    assert len(table) == len(rows) + 1
    assert "resnet18             224 x 224      11.7 M  yes" in table


def test_help_teaches_by_example() -> None:
    text = CliRunner().invoke(main, ["explain", "--help"]).stdout
    assert "tracer explain cat.jpg --arch resnet18\n" in text
    assert "suc counts the succeeding layer's support above its default of 1" in " ".join(text.split())
    for command in main.commands.values():
        assert "Examples:" in (command.help or "")


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "--help"], ["architectures", "--help"]])
def test_help_takes_less_than_300_ms_and_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = ("torch", "torchvision", "numpy", "numba", "scipy", "matplotlib", "PIL", "rich", "yaml", "ray")
    code = (
        "import sys\nfrom tracer.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"print('heavy:', [name for name in {heavy!r} if name in sys.modules])"
    )
    seconds = []
    for _ in range(3):
        before = os.times()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        after = os.times()
        # Processor time, for other tests may keep the machine busy.
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert done.stdout.endswith("heavy: []\n")
    assert min(seconds) < 0.3


def test_every_public_name_is_there() -> None:
    import tracer

    assert len(set(tracer.__all__)) == len(tracer.__all__)
    for name in tracer.__all__:
        assert getattr(tracer, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'Tracr'"):
        tracer.Tracr  # noqa: B018
