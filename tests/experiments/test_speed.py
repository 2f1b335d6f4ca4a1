"""How the benchmark measures, and each of its sections on something tiny."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from experiments.errors import SettingError
from experiments.speed import network, rewards, scaling, service, start
from experiments.speed.measure import LONG, Figure, paired_ratios, processor_seconds, seconds
from experiments.speed.memory import memory_figures
from experiments.speed.network import ARMS, Bench
from tracer import Alpha, Model, Preprocessing


class Clock:
    """A clock that moves only when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.calls: list[str] = []
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def takes(self, duration: float, name: str) -> Callable[[int], None]:
        def work(given: int) -> None:
            self.now += duration * given
            self.calls.append(f"{name} {given}")

        return work


def test_each_call_is_paired_with_a_base_just_before_it_on_the_same_input(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    calls = {"a": clock.takes(1.0, "a"), "b": clock.takes(0.25, "b")}
    assert paired_ratios(clock.takes(0.5, "base"), calls, [1, 2, 3]) == {"a": [2.0] * 3, "b": [0.5] * 3}
    assert clock.calls[-8:] == ["base 2", "a 2", "base 2", "b 2", "base 3", "a 3", "base 3", "b 3"]


def test_long_calls_are_paired_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    ratios = paired_ratios(clock.takes(1.0, "base"), {"long": clock.takes(LONG + 1, "long")}, [1] * 5)
    assert ratios == {"long": [LONG + 1]}


def test_seconds_waits_for_the_device_on_both_sides() -> None:
    waits: list[int] = []
    seconds(lambda: waits.append(0), lambda: waits.append(1))
    assert waits == [1, 0, 1]


def test_processor_time_does_not_count_waiting() -> None:
    assert processor_seconds(lambda: time.sleep(0.2)) < 0.2


def test_figure_shows_median_and_range_and_holds_them_against_the_goal() -> None:
    figure = Figure.of("arms", "what", "who", [3.0, 1.0, 2.0], "forwards", at_most=2.0)
    assert (figure.median, figure.least, figure.most, figure.goal, figure.met) == (2, 1, 3, "≤ 2", True)
    assert Figure.of("arms", "what", "who", [1.0], "a second", at_least=2.0).met is False
    assert Figure.of("arms", "what", "who", [1.0], "a second").met is None


def test_arms_are_eleven_values_of_each_weight_around_one() -> None:
    assert len(ARMS) == 33
    assert len(set(ARMS)) == 31  # all three weights at 1 stand in each list
    assert ARMS[0] == Alpha(cur=0)
    assert all(sum(weight != 1 for weight in (arm.cur, arm.suc, arm.pre)) <= 1 for arm in ARMS)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A benchmark whose every architecture is a small network."""

    def model(self: Bench, name: str) -> tuple[Model, str]:
        torch.manual_seed(self.seed)
        layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
        module = nn.Sequential(*layers, nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Dropout(), Flat()).eval()
        return Model(name, module, Preprocessing(24, 24)), name

    monkeypatch.setattr(network.Bench, "model", model)
    return Bench(None, None, runs=2, seed=0)


class Flat(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return torch.flatten(maps, 1)


def test_trace_section_holds_the_tracer_and_every_peer(tiny: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"tracer", "grad-cam", "saliency"}
    monkeypatch.setattr(network, "METHODS", {k: m for k, m in network.METHODS.items() if k in known})
    figures = network.trace_figures(tiny, ["tiny"])
    alone = network.trace_figures(replace(tiny, methods=frozenset()), ["tiny"])
    ours = list(network.READINGS)
    assert [figure.who for figure in alone] == ours
    assert [figure.who for figure in figures] == [*ours, "pytorch-grad-cam, grad-cam", "Captum, saliency"]
    assert all(figure.least <= figure.median <= figure.most for figure in figures)
    assert [figure.goal for figure in figures] == ["≤ 0.2", "≤ 0.3", "≤ 2", "≤ 0.1", "≤ 0.1", "", ""]


def test_arm_section_traces_all_arms_of_a_batch(tiny: Bench) -> None:
    (figure,) = network.arm_figures(tiny, ["tiny"], section="arms", images=2, goal=1.6, small=2.5)
    assert figure.goal == "≤ 1.6"
    assert figure.what == "2 x 33 arms with forward, tiny, one thread"
    assert figure.median > 0


def test_networks_of_small_layers_have_goals_of_their_own(tiny: Bench) -> None:
    (arms,) = network.arm_figures(tiny, ["mobilenet_v2"], section="arms", images=1, goal=1.6, small=2.5)
    trace = network.trace_figures(replace(tiny, methods=frozenset()), ["mobilenet_v2"])
    assert arms.goal == "≤ 2.5"
    assert [figure.goal for figure in trace] == ["≤ 0.5", "≤ 0.5", "", "≤ 0.1", "≤ 0.1"]


def test_each_run_has_noise_of_its_own_the_same_for_the_same_seed(tiny: Bench) -> None:
    model, _ = tiny.model("tiny")
    first, second = tiny.batches(model, 2)
    assert first.shape == second.shape == (2, 3, 24, 24)
    assert not torch.equal(first, second)
    assert all(torch.equal(*pair) for pair in zip((first, second), tiny.batches(model, 2), strict=True))


def test_service_sections_time_decisions_and_recorded_pulls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("DECISIONS", 60), ("PULLS", 22), ("IMAGES", 20), ("TRIALS", 2)):
        monkeypatch.setattr(service, name, value)
    decisions = service.decision_figures(runs=1, seed=0)
    assert [figure.who for figure in decisions] == ["ucb1", "ucb-tuned", "kl-ucb", "thompson"]
    pulls = service.pull_figures(runs=1, seed=0)
    assert [figure.who for figure in pulls] == ["tuner", "Optuna RDBStorage, random sampler"]
    assert all(figure.median > 0 for figure in decisions + pulls)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process's highest memory")
def test_memory_section_measures_another_process_and_its_own_peak() -> None:
    (figure,) = memory_figures(Bench(None, None, runs=1, seed=0), "squeezenet1_1", images=1)
    assert 0 < figure.median < 2
    assert figure.what == "1 images x 33 arms, squeezenet1_1"


def test_images_are_read_from_a_folder_and_repeat_where_few(tmp_path: Path) -> None:
    Image.new("RGB", (9, 7), "red").save(tmp_path / "a.png")
    bench = Bench(None, tmp_path, runs=1, seed=0)
    (batch,) = bench.batches(Model.of(nn.Identity()), 3)
    assert batch.shape == (3, 3, 224, 224)
    assert torch.equal(batch[0], batch[2])


def test_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no image under"):
        Bench(None, tmp_path, runs=1, seed=0).batches(Model.of(nn.Identity()), 1)


@pytest.mark.slow
def test_ray_section_compares_one_worker_with_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "TASKS", 2)
    (figure,) = scaling.ray_figures(Bench(None, None, runs=1, seed=0), "squeezenet1_1")
    assert figure.what == "efficiency from 1 to 2 workers, squeezenet1_1, 33 arms an image"
    assert 0 < figure.median < 2


def test_many_images_are_held_against_decodings_and_forwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "_IMAGES", 3)
    (figure,) = start.many_figures(Bench(None, None, runs=1, seed=0))
    assert figure.median > 0
    assert "3 images" in figure.what


@pytest.mark.slow
def test_a_cold_start_is_held_against_a_bare_script() -> None:
    again, first = start.cold_figures(Bench(None, None, runs=1, seed=0))
    assert min(again.median, first.median) > 0


@pytest.mark.slow
def test_a_jobs_first_score_is_held_against_rays_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (figure,) = start.job_figures(Bench(None, None, runs=1, seed=0))
    assert (figure.unit, figure.goal) == ("starts of Ray", "≤ 2")
    assert figure.median > 0


def test_rewards_are_timed_by_the_arm(tiny: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewards, "ARMS", rewards.grid(("image",), ("8",), ("0.2", "0.4")))
    figures = rewards.reward_figures(tiny, ["tiny"])
    assert [figure.who for figure in figures] == list(rewards.REWARDS)
    assert {figure.unit for figure in figures} == {"forwards an arm"}
    assert all(figure.median > 0 for figure in figures)
