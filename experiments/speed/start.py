"""What a person meets first: an image explained by a new process, a first score of a job, a folder of many images."""

import os
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image
from torch import Tensor

from experiments.speed.measure import Figure, paired_ratios, seconds
from experiments.speed.network import Bench
from tracer import Tracer
from tracer.ahead import batches
from tracer.images import read_image
from tracer.trace import BATCH

COLD = "resnet50"
MANY = "resnet18"
_IMAGES = 64
_SCORABLE = 8
"""Images of the job whose first score is awaited."""
_BARE = """
import sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from PIL import Image
from torchvision import models
from torchvision.transforms.functional import normalize, resize, to_tensor
architecture, checkpoint, image, picture = sys.argv[1:]
network = models.get_model(architecture, weights=None).eval()
network.load_state_dict(torch.load(checkpoint, weights_only=True))
pixels = Image.open(image).convert("RGB")
batch = normalize(to_tensor(resize(pixels, [224, 224])), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])[None]
with torch.inference_mode():
    scores = network(batch).softmax(1)
figure, axes = plt.subplots()
axes.imshow(pixels)
axes.set_title(f"{int(scores.argmax())} {float(scores.max()):.1%}")
figure.savefig(picture)
"""
"""The yardstick of the cold start: load, predict and save a picture, with torchvision and matplotlib alone."""

_RAY = """
import ray
ray.init(address="local", include_dashboard=False, log_to_driver=False, object_store_memory=256 * 2**20)
@ray.remote
class Worker:
    def ready(self):
        return True
workers = [Worker.remote() for _ in range(int(ray.cluster_resources()["CPU"]))]
ray.get([worker.ready.remote() for worker in workers])
"""
"""The yardstick of a job's start: Ray, and one worker a processor that only says that it is there."""
_SCORED = "SELECT count(*) FROM score"
_LOOK = 0.02
"""Seconds between looks at whether a job has its first score."""


def cold_figures(bench: Bench) -> list[Figure]:
    """``tracer explain`` of one image in a new process, in processor time of the bare script that predicts it.

    Once with what an earlier run kept (the compiled loops and the graph), once with nothing kept of the graph.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder)
        image, checkpoint = _images(bench, place)[0], _checkpoint(bench, place)
        bare = [sys.executable, "-c", _BARE, COLD, str(checkpoint), str(image), str(place / "bare.png")]
        command = "from tracer.cli import main; main()"
        explain = [sys.executable, "-c", command, "explain", str(image), "--arch", COLD, "--checkpoint"]
        explain += [str(checkpoint), "-o", str(place / "explained")]
        _processor_seconds(explain, place / "kept")
        again, first = [], []
        for run in range(min(bench.runs, 3)):
            yardstick = _processor_seconds(bare, place)
            again.append(_processor_seconds(explain, place / "kept") / yardstick)
            first.append(_processor_seconds(explain, place / f"new{run}") / yardstick)
    return [
        Figure.of("cold", f"{COLD}, one image, a new process", "tracer explain", again, "bare scripts", at_most=2),
        Figure.of("cold", f"{COLD}, the same, its first time", "tracer explain", first, "bare scripts"),
    ]


def job_figures(bench: Bench) -> list[Figure]:
    """``tuner run`` until its first score, by the clock, in the time that Ray alone takes to start.

    The network is one of :data:`MANY`'s kind, and its graph was kept by an earlier run.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder)
        images = place / "images"
        images.mkdir()
        for file in _images(bench, images)[:_SCORABLE]:
            if file.parent != images:
                (images / file.name).symlink_to(file.resolve())
        job = place / "job.yaml"
        checkpoint = _checkpoint(bench, place, MANY)
        job.write_text(
            f"architecture: {MANY}\ncheckpoint: {checkpoint}\ndataset: {{kind: folder, root: {images}}}\n"
            "reward: {kind: confidence, at: 0.5, keep: 0.5}\ncheck: 0.5\n"
        )
        _first_score(job, place / "earlier")
        ratios = []
        for run in range(min(bench.runs, 3)):
            alone = seconds(partial(_finish, [sys.executable, "-c", _RAY], place))
            ratios.append(_first_score(job, place / f"run{run}") / alone)
    what = f"{MANY}, first score of a job, by the clock"
    return [Figure.of("job", what, "tuner run", ratios, "starts of Ray", at_most=2)]


def _finish(command: Sequence[str], cache: Path) -> None:
    subprocess.run(command, env=_environment(cache), check=True, capture_output=True)


def _first_score(job: Path, name: Path) -> float:
    """Seconds until the database of a job that runs in a new process holds a score; the job is stopped then."""
    database = name.with_suffix(".db")
    command = [sys.executable, "-m", "tuner", "run", str(job)]
    command += ["--storage", f"sqlite:///{database}", "--name", name.name]
    start = time.perf_counter()
    told = name.with_suffix(".log")
    with told.open("w") as log, subprocess.Popen(command, env=_environment(name.parent), stderr=log) as process:
        while not _scored(database):
            if process.poll() is not None:
                raise RuntimeError(f"`tuner run` ended without a score: {told.read_text()}")
            time.sleep(_LOOK)
        taken = time.perf_counter() - start
        process.terminate()  # which stops Ray too, before anything else is timed
    return taken


def _scored(database: Path) -> bool:
    """Whether a job's database holds a score."""
    if not database.exists():
        return False
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return bool(connection.execute(_SCORED).fetchone()[0])
    except sqlite3.OperationalError:  # its tables are being made
        return False


def many_figures(bench: Bench) -> list[Figure]:
    """Many images explained, by the clock, in the time of decoding them one by one and of their forward passes."""
    model, called = bench.model(MANY)
    tracer = Tracer(model)
    with TemporaryDirectory() as folder:
        files = _images(bench, Path(folder))

        def bare(paths: Sequence[Path]) -> None:
            for together in batches(paths, BATCH):
                batch = torch.stack([model.preprocess(read_image(path)) for path in together])
                _forward(model.module, batch)

        def explain(paths: Sequence[Path]) -> None:
            for _ in tracer.explain_many(paths):
                pass

        ratios = paired_ratios(bare, {"many": explain}, [files] * min(bench.runs, 3), seconds)
    what = f"{called}, {len(files)} images, decoded in two threads"
    return [Figure.of("many", what, "tracer", ratios["many"], "decodings and forwards", at_most=1.5)]


@torch.inference_mode()
def _forward(module: torch.nn.Module, batch: Tensor) -> None:
    module(batch)


def _processor_seconds(command: Sequence[str], cache: Path) -> float:
    """Processor time of a process that keeps its graphs in a folder of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _finish(command, cache)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(cache: Path) -> dict[str, str]:
    """Of a process that keeps its graphs in a folder of its own."""
    return {**os.environ, "TRACER_CACHE": str(cache), "OMP_NUM_THREADS": "1"}


def _checkpoint(bench: Bench, folder: Path, architecture: str = COLD) -> Path:
    kept = bench.checkpoints / f"{architecture}.pth" if bench.checkpoints else None
    if kept and kept.is_file():
        return kept
    model, _ = bench.model(architecture)
    torch.save(model.module.state_dict(), folder / f"{architecture}.pth")
    return folder / f"{architecture}.pth"


def _images(bench: Bench, folder: Path) -> list[Path]:
    """The folder's images, or as many of noise."""
    if bench.images:
        return sorted(path for path in bench.images.rglob("*") if path.suffix.lower() in {".jpeg", ".jpg"})[:_IMAGES]
    for number in range(_IMAGES):
        Image.effect_noise((500, 375), 40 + number).convert("RGB").save(folder / f"{number:03}.jpg")
    return sorted(folder.glob("*.jpg"))
