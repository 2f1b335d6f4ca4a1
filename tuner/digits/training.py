"""The network that reads digits, trained at first use and kept in the user's cache."""

import hashlib
import io
import logging
import time
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor
from torch.nn import functional

from tracer.checkpoints import fit_checkpoint, read_checkpoint
from tracer.errors import CheckpointError, OutputError
from tracer.files import cache_folder, write_atomically
from tuner.digits import canvas, network
from tuner.digits.canvas import Part, draw
from tuner.digits.network import DigitsCNN

logger = logging.getLogger(__name__)

_CANVASES = 4000
_EPOCHS = 4
_BATCH = 32
_RATE = 8e-3
_SEED = 1


@torch.inference_mode(False)  # its parameters must be trainable wherever it is called
def digits_cnn() -> DigitsCNN:
    """The trained network, in eval mode: an architecture ``tuner.digits:digits_cnn`` for :func:`tracer.load_model`.

    The first call on a machine trains it, which takes about half a minute; the others read the file that it left in
    the cache. A file that is not whole is made again; where the cache cannot be written, every call trains.
    """
    model = DigitsCNN()
    try:
        path = checkpoint_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # of several workers on a machine, one trains and the others wait
            if not _restored(model, path):
                _train_anew(model)
                write_atomically(path, _bytes(model))
    except (OSError, OutputError) as error:
        logger.warning("the digits network is not kept: %s; set TRACER_CACHE to a folder that can be written", error)
        _train_anew(model)
    return model.eval()


def checkpoint_path() -> Path:
    """Where the network is kept, in the cache folder; named by what made it."""
    recipe = hashlib.sha256()
    for source in (canvas.__file__, network.__file__, __file__):
        recipe.update(Path(source).read_bytes())
    return cache_folder() / f"digits-{recipe.hexdigest()[:16]}.pth"


def train(model: DigitsCNN, canvases: int = _CANVASES, epochs: int = _EPOCHS) -> None:
    """Train the network on canvases with digits of the part that trains; deterministic.

    Args:
        model: Changed in place.
        canvases: How many are drawn.
        epochs: How often each is seen, its colours exchanged each time.
    """
    pixels, digits = batch("train", _SEED, canvases)
    generator = torch.Generator().manual_seed(_SEED)
    _initialise(model, generator)
    model.train().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE)
    steps = epochs * (canvases // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(canvases, generator=generator)
        for chosen in order[: canvases // _BATCH * _BATCH].reshape(-1, _BATCH):
            colours = torch.randperm(3, generator=generator)
            scores = model(normalised(pixels[chosen][:, colours]))
            loss = functional.cross_entropy(scores, digits[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
            schedule.step()
    model.to(memory_format=torch.contiguous_format)


def batch(part: Part, seed: int, canvases: int) -> tuple[Tensor, Tensor]:
    """The first canvases of a series: uint8 of shape (canvases, 3, 64, 64), and their digits (canvases,)."""
    drawn = [draw(part, seed, index) for index in range(canvases)]
    pixels = torch.from_numpy(np.stack([one.pixels for one in drawn])).permute(0, 3, 1, 2)
    return pixels, torch.tensor([one.digit for one in drawn])


def normalised(pixels: Tensor) -> Tensor:
    """Canvases as the network takes them, float32 of the same shape."""
    how = DigitsCNN.preprocessing
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (how.mean, how.std))
    return (pixels / 255 - mean) / std


def _restored(model: DigitsCNN, path: Path) -> bool:
    """Whether the file is there and whole; the network then holds it."""
    if not path.exists():
        return False
    try:
        fit_checkpoint(model, read_checkpoint(path), str(path))
    except CheckpointError as error:
        logger.warning("the digits network is trained again: %s", error)
        return False
    return True


def _train_anew(model: DigitsCNN) -> None:
    logger.info("training the digits network: once, about half a minute")
    start = time.perf_counter()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two gain little here, lose much on a busy machine, and would round otherwise
    try:
        with torch.enable_grad():
            train(model)
    finally:
        torch.set_num_threads(threads)
    logger.info("trained the digits network in %.0f s", time.perf_counter() - start)


def _initialise(model: DigitsCNN, generator: torch.Generator) -> None:
    """Draw all parameters from one generator, so that no global state decides them."""
    for module in model.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)


def _bytes(model: DigitsCNN) -> bytes:
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    return buffer.getvalue()
