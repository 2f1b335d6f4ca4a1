"""The weight file: what is written is read back, and what is wrong is named with its place."""

import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tracer import errors
from tracer.config import TraceConfig
from tracer.evidence import Alpha
from tracer.models import Model
from tracer.trace import Tracer
from tracer.weights import Weights, describe_check, learned_architectures, learned_weights, load_weights

LEARNED = Weights(
    "resnet18",
    Alpha(1.0, 0.5, 0.1),
    {"layer4.1.conv2": Alpha(1, 0, 0)},
    TraceConfig(location="center", average_pool=0.7),
    {"images": 133, "base": 0.43, "learned": 0.64, "difference": 0.21, "interval": [0.16, 0.26]},
    {"cur": {"pulls": 3000, "interval": [0.4, 0.6], "may_be_best": [0.0, 1.0]}, "suc": {}, "pre": {"mean": 1e-05}},
    {"job": "resnet18-imagenet", "created": "2026-01-31T10:00:00+00:00", "checkpoint_sha256": None},
)

numbers = st.floats(0, 1e12, allow_nan=False)
alphas = st.builds(Alpha, numbers, numbers, numbers)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
sections = st.dictionaries(st.text(), plain, max_size=4)
fractions = st.floats(0.01, 0.99)
selections = st.integers(1, 9) | fractions | st.just("positive")
configs = st.builds(
    TraceConfig,
    input=st.none() | st.integers(1, 4096),
    flip=st.booleans(),
    location=st.sampled_from(["peak", "center", "field"]),
    successor=st.sampled_from(["excess", "paper"]),
    linear=selections,
    average_pool=selections,
    share=st.sampled_from(["evidence", "score"]),
    contrast=st.sampled_from(["none", "mean", "others"]),
    depth=st.integers(0, 6).map(lambda power: 2**power) | st.text(min_size=1),
    spread=st.integers(0, 256) | st.floats(0, 256),
    box=st.sampled_from(["points", "patch"]),
    cut=fractions | fractions.map("mass {}".format),
)
names = st.text(min_size=1).filter(str.strip)
weights = st.builds(Weights, names, alphas, st.dictionaries(st.text(), alphas, max_size=3), configs, *[sections] * 3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    LEARNED.save(tmp_path / "resnet18.yaml")
    return tmp_path / "resnet18.yaml"


def edited(file: Path, **changes: Any) -> Path:
    content = yaml.safe_load(file.read_text()) | changes
    file.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not ...}))
    return file


@settings(max_examples=50)  # each is forced to the disk
@given(weights)
def test_whatever_is_saved_is_loaded_again(tmp_path_factory: pytest.TempPathFactory, learned: Weights) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.yaml"
    learned.save(path)
    assert load_weights(path) == learned
    assert load_weights(path).to_bytes() == learned.to_bytes()


def test_bytes_do_not_depend_on_the_order_of_keys() -> None:
    turned = replace(
        LEARNED,
        evidence=dict(reversed(LEARNED.evidence.items())),
        provenance=dict(reversed(LEARNED.provenance.items())),
    )
    assert turned.to_bytes() == LEARNED.to_bytes()


def test_file_reads_as_the_contract_draws_it(file: Path) -> None:
    note, _, text = file.read_text().partition("\n")
    assert note.startswith("# suc weighs the succeeding layer's support above its default of 1")
    assert text.startswith("format: 1\narchitecture: resnet18\nweights:\n  cur: 1.0\n  suc: 0.5\n  pre: 0.1\nlayers:\n")
    assert list(yaml.safe_load(text)) == [
        *("format", "architecture", "weights", "layers", "tracer", "check", "evidence", "provenance"),
    ]


def test_a_short_file_by_hand_takes_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "short.yaml"
    path.write_text("format: 1\narchitecture: vgg16\nweights: {pre: 0}\ntracer: {location: center}\n")
    assert load_weights(path) == Weights("vgg16", Alpha(1, 1, 0), tracer=TraceConfig(location="center"))


def test_numbers_of_numpy_are_stored_as_plain_ones() -> None:
    learned = replace(LEARNED, evidence={"pre": {"pulls": np.int64(3), "arms": np.array([0.0, 0.5]), "pair": (1, 2)}})
    assert learned.evidence == {"pre": {"pulls": 3, "arms": [0.0, 0.5], "pair": [1, 2]}}
    assert b"numpy" not in learned.to_bytes()


def test_layers_override_the_weights_of_the_network() -> None:
    assert LEARNED.settings.at("layer4.1.conv2") == Alpha(1, 0, 0)
    assert LEARNED.settings.at("conv1") == LEARNED.alpha


def test_a_partial_override_keeps_the_other_weights(file: Path) -> None:
    assert load_weights(edited(file, layers={"fc": {"pre": 2}})).settings.at("fc") == Alpha(1.0, 0.5, 2.0)


def test_equal_weights_count_as_one_setting() -> None:
    again = replace(LEARNED)
    assert hash(again) == hash(LEARNED)
    assert list(dict.fromkeys([LEARNED, again, replace(LEARNED, alpha=Alpha())])) == [
        *(LEARNED, replace(LEARNED, alpha=Alpha())),
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "format: 2 instead of 1"),
        ({"format": ...}, "format: None instead of 1"),
        ({"format": True}, "format: True instead of 1"),
        ({"architecture": 5}, "architecture: 5 instead of a name"),
        ({"architecture": " "}, "architecture: empty"),
        ({"weights": ...}, "weights: missing"),
        ({"weights": [1, 1, 1]}, "weights: list instead of a mapping"),
        ({"weights": {"pre": -0.5}}, "weights.pre: -0.5 instead of a finite number"),
        ({"weights": {"pre": float("nan")}}, "weights.pre: nan instead of"),
        ({"weights": {"pre": float("inf")}}, "weights.pre: inf instead of"),
        ({"weights": {"pre": "0.5"}}, "weights.pre: '0.5' instead of"),
        ({"weights": {"pre": True}}, "weights.pre: True instead of"),
        ({"weights": {"prev": 1}}, "weights.prev: unknown key (nearest: pre)"),
        ({"weigths": {}}, "weigths: unknown key (nearest: weights"),
        ({"layers": {"fc": {"cur": -1}}}, "layers.fc.cur: -1 instead of"),
        ({"layers": {3: {}}}, "layers.3: the key must be text"),
        ({"tracer": {"locations": "peak"}}, "tracer.locations: unknown key (nearest: location"),
        ({"tracer": {"location": "middle"}}, "tracer.location='middle': write 'peak' or 'center' or 'field'"),
        ({"tracer": {"depth": 0}}, "tracer.depth=0: write 'image', a stride"),
        ({"tracer": {"depth": True}}, "tracer.depth=True: write"),
        ({"tracer": {"spread": -1}}, "tracer.spread=-1: write pixels from 0 to 256"),
        ({"tracer": {"cut": "half"}}, "tracer.cut='half': write a share"),
        ({"tracer": {"cut": 1.0}}, "tracer.cut=1.0: write a share"),
        ({"tracer": {"cut": "mass 2"}}, "tracer.cut='mass 2': write a share"),
        ({"tracer": {"cut": "mass some"}}, "tracer.cut='mass some': write a share"),
        ({"tracer": {"flip": 1}}, "tracer.flip=1: write true or false"),
        ({"tracer": {"input": 5000}}, "tracer.input=5000: write pixels"),
        ({"tracer": {"linear": 1.5}}, "tracer.linear=1.5: write a number"),
        ({"check": []}, "check: list instead of a mapping"),
        ({"evidence": 3}, "evidence: int instead of a mapping"),
        ({"evidence": {"mean": float("nan")}}, "evidence.mean: nan is not finite"),
    ],
)
def test_a_bad_value_is_one_line_with_file_and_place(file: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.WeightsError) as raised:
        load_weights(edited(file, **changes))
    assert str(raised.value).startswith(f"{file}: {said}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds nothing instead of a weight file"),
        (b"- 1\n", "holds list instead"),
        (b"a: [1\n", ":2:1: not YAML: "),
        (b"\xff\xfe\x00", "cannot be read (not UTF-8 text)"),
        (b"format: 1\nformat: 1\n", ":2:1: key 'format' stands there twice"),
        (b"format: !!python/object:os.system {}\n", ":1:9: tag "),
    ],
)
def test_a_file_that_is_no_weight_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(errors.WeightsError, match=r"bad\.yaml:") as raised:
        load_weights(path)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.WeightsError, match=r"nowhere\.yaml: no such file"):
        load_weights(tmp_path / "nowhere.yaml")


def test_evidence_must_be_plain() -> None:
    with pytest.raises(errors.WeightsError, match=r"provenance\.when: date is no plain value"):
        replace(LEARNED, provenance={"when": dt.date(2026, 1, 1)})


def test_weights_of_another_architecture_are_refused() -> None:
    LEARNED.check_architecture("resnet18")
    with pytest.raises(errors.WeightsError, match="weights of architecture 'resnet18' for 'resnet50'"):
        LEARNED.check_architecture("resnet50")


def test_an_own_architecture_is_the_same_wherever_its_file_lies() -> None:
    own = replace(LEARNED, architecture="somewhere/networks.py:tiny")
    own.check_architecture("networks:tiny")
    own.check_architecture("package.networks:tiny")
    with pytest.raises(errors.WeightsError):
        own.check_architecture("networks:large")


def test_what_was_gained_is_one_sentence() -> None:
    assert describe_check(LEARNED.check) == (
        "learned settings box 64% of the objects, the base 43%: +21 points, between +16 and +26, "
        "on 133 images that were not used to learn"
    )
    assert describe_check({}) == describe_check({"images": 0}) == ""


def test_a_gain_that_no_image_shows_is_no_interval() -> None:
    check = {"images": 2, "base": 0.5, "learned": 0.5, "difference": 0.0, "interval": [0.0, 0.0]}
    assert describe_check(check) == (
        "learned settings box 50% of the objects, the base 50%: "
        "the same on each of 2 images that were not used to learn"
    )
    mean = {"mean_iou": {"learned": 0.6, "base": 0.6, "difference": 0.0, "interval": [0.0, 0.0]}}
    assert describe_check(check | mean).endswith("; mean IOU 0.600, the base 0.600: the same on each")


def test_what_was_gained_is_said_in_the_words_of_the_reward() -> None:
    check = {
        **LEARNED.check,
        "reward": "pointing",
        "success": "point at {share} of the objects",
        "trivial": "the middle of the image",
        "whole_image": 0.5,
        "mean_pointing": {"learned": 0.64, "base": 0.43, "difference": 0.21, "interval": [0.16, 0.26]},
    }
    assert describe_check(check) == (
        "learned settings point at 64% of the objects, the base 43%: +21 points, between +16 and +26, "
        "on 133 images that were not used to learn; mean pointing 0.640, the base 0.430: +0.210, between +0.160 and "
        "+0.260; the middle of the image is right on 50%"
    )


def test_learned_weights_are_found_by_the_name_of_the_architecture(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.weights._LEARNED", file.parent)
    assert learned_architectures() == ("resnet18",)
    assert learned_weights("resnet18") == LEARNED
    assert learned_weights("resnet50") is None


def test_learned_weights_of_the_package_belong_to_their_architecture() -> None:
    for architecture in learned_architectures():
        found = learned_weights(architecture)
        assert found is not None
        assert found.architecture == architecture


def test_a_failed_save_keeps_the_old_file_and_leaves_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "taken.yaml"
    target.mkdir()
    with pytest.raises(errors.OutputError, match="cannot write"):
        LEARNED.save(target)
    with pytest.raises(errors.OutputError, match="cannot write"):
        LEARNED.save(tmp_path / "missing" / "file.yaml")
    assert list(tmp_path.iterdir()) == [target]


def test_a_save_replaces_the_file_whole(file: Path) -> None:
    replace(LEARNED, alpha=Alpha(0, 0, 0)).save(file)
    assert load_weights(file).alpha == Alpha(0, 0, 0)
    assert [path.name for path in file.parent.iterdir()] == ["resnet18.yaml"]


def test_other_parameters_than_those_learned_on_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    model = Model.of(nn.Sequential(nn.Conv2d(3, 2, 3)), "net", "ab" * 32)
    for provenance in ({}, {"checkpoint_sha256": "ab" * 32}, {"parameters_sha256": model.parameters_sha256}):
        Tracer(model, alpha=Weights("net", Alpha(), provenance=provenance))
    assert caplog.messages == []
    Tracer(model, alpha=Weights("net", Alpha(), provenance={"checkpoint_sha256": "cd" * 32}))
    assert caplog.messages == [
        "the settings were learned on other parameters of net than these; they may not be the best"
    ]
