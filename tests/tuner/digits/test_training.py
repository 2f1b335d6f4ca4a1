from pathlib import Path

import pytest
import torch

from tracer import load_model
from tuner.digits import training
from tuner.digits.network import DigitsCNN
from tuner.digits.training import batch, checkpoint_path, digits_cnn, normalised


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a training too short to learn."""
    monkeypatch.setenv("TRACER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training.train, "__defaults__", (64, 1))
    return tmp_path / "cache"


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([values.flatten().float() for values in model.state_dict().values()])


def test_it_reads_digits_it_never_saw() -> None:
    """The network that a user gets; trained here where this machine has none yet."""
    pixels, digits = batch("test", 17, 500)
    with torch.inference_mode():
        right = (digits_cnn()(normalised(pixels)).argmax(1) == digits).float().mean()
    assert right >= 0.95


def test_it_is_an_architecture_of_the_tracer(cache: Path) -> None:
    model = load_model("tuner.digits:digits_cnn")
    assert model.categories == tuple("0123456789")
    assert (model.preprocessing.height, model.preprocessing.width) == (64, 64)
    assert not model.module.training
    again = load_model("tuner.digits:digits_cnn", checkpoint=checkpoint_path())
    assert torch.equal(weights(model.module), weights(again.module))
    assert again.checkpoint_sha256 is not None


def test_it_is_trained_within_inference_mode_too(cache: Path) -> None:
    with torch.inference_mode():
        within = digits_cnn()
    assert torch.equal(weights(within), weights(digits_cnn()))


def test_training_draws_from_no_global_state(cache: Path) -> None:
    one, other = DigitsCNN(), DigitsCNN()
    state = torch.get_rng_state()
    training.train(one)
    assert torch.equal(state, torch.get_rng_state())
    training.train(other)
    assert torch.equal(weights(one), weights(other))


def test_the_second_call_reads_the_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digits_cnn()
    assert [path.suffix for path in sorted(cache.iterdir()) if path.suffix != ".lock"] == [".pth"]

    def never(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "train", never)
    assert torch.equal(weights(first), weights(digits_cnn()))


@pytest.mark.parametrize("damage", [b"", b"hello", "half"])
def test_a_damaged_cache_is_made_again(cache: Path, damage: bytes | str) -> None:
    first = digits_cnn()
    whole = checkpoint_path().read_bytes()
    checkpoint_path().write_bytes(whole[: len(whole) // 2] if isinstance(damage, str) else damage)
    assert torch.equal(weights(first), weights(digits_cnn()))
    assert checkpoint_path().read_bytes() == whole


def test_a_cache_that_cannot_be_written_costs_time_only(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRACER_CACHE", str(tmp_path / "file"))
    assert not digits_cnn().training
    assert "set TRACER_CACHE" in caplog.text


def test_the_cache_lies_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRACER_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert checkpoint_path().parent == tmp_path / "bandit-tracer"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert checkpoint_path().parent == tmp_path / ".cache" / "bandit-tracer"
