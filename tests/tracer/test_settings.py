"""Settings by their names."""

import pytest

from tracer.config import STAGES, TraceConfig
from tracer.evidence import Alpha
from tracer.settings import SETTINGS, Settings


def test_every_setting_has_a_value_by_its_name_and_takes_it_back() -> None:
    settings = Settings(Alpha(1, 0.5, 0.1), TraceConfig.excitation_backprop(depth=16, cut="mass 0.6"))
    assert tuple(settings.values()) == SETTINGS
    assert Settings().changed(settings.values()) == settings


def test_settings_that_are_not_named_stay_as_they_are() -> None:
    layers = {"fc": Alpha(1, 0, 0)}
    changed = Settings(Alpha(1, 0.5, 0.1), layers=layers).changed({"pre": 2, "depth": "layer3"})
    assert changed == Settings(Alpha(1, 0.5, 2), TraceConfig(depth="layer3"), layers)
    assert changed.at("fc") == Alpha(1, 0, 0)
    assert changed.at("conv1") == Alpha(1, 0.5, 2)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spred": 3}, r"unknown setting 'spred' \(nearest: spread"),
        ({"spread": True}, "spread=True: write pixels"),
        ({"cur": None}, "alpha cur=None: a weight is a finite number"),
        ({"suc": True}, "alpha suc=True: a weight is"),
        ({"linear": 0}, "linear=0: write a number"),
    ],
)
def test_what_is_no_setting_or_value_is_named(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings().changed(values)


def test_equal_settings_count_as_one() -> None:
    again = Settings(Alpha(), TraceConfig(), {})
    assert hash(again) == hash(Settings())
    assert list(dict.fromkeys([Settings(), again, Settings(Alpha(0.5))])) == [Settings(), Settings(Alpha(0.5))]


def test_every_choice_belongs_to_one_stage() -> None:
    names = [name for stage in STAGES.values() for name in stage]
    assert sorted(names) == sorted(set(SETTINGS) - {"cur", "suc", "pre"})


def test_only_the_walk_decides_whether_it_is_dense() -> None:
    assert TraceConfig.excitation_backprop(depth=8, box="patch", flip=True, contrast="mean").dense
    assert not TraceConfig.excitation_backprop(share="score").dense
    assert not TraceConfig.excitation_backprop(flatten=1).dense
    assert not TraceConfig.cnn_fixations().dense
