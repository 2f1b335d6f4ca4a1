"""Draws the pictures of README.md and docs: ``python docs/draw.py``, after ``make tune``.

They show the embedded example (handwritten digits and the small network trained on them), so that anyone can draw them.
The report is that of the job which ``make tune`` leaves behind; its picture needs Chromium and Playwright.
"""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from storage.engine import Database
from tracer import Alpha, TraceConfig, Tracer, load_model
from tracer.evidence import as_table
from tracer.network import Operation
from tracer.neurons import Neurons
from tracer.walk import ImageWalk
from tuner.cli.options import DEFAULT_STORAGE
from tuner.datasets import load_dataset
from tuner.demo import digits_job
from tuner.report import make_report, write

PICTURES = Path(__file__).parent / "pictures"
SHOWN = 7
"""Which digit."""
LEARNED = Alpha(cur=1, suc=1, pre=0.1)


def walked(tracer: Tracer, image: Image.Image) -> list[tuple[Operation, Neurons]]:
    """Each operation with its selected neurons, from the class to the image."""
    batch = tracer.model.preprocess(image)[None]
    plan = tracer.plan((batch.shape[2], batch.shape[3]))
    reads = [plan.network.image]
    scores, activations = plan.forward(batch, reads)
    seen: list[tuple[Operation, Neurons]] = []
    target, probabilities = int(scores.argmax()), scores[0].double().softmax(0).numpy()
    config = tracer.settings.config
    walk = ImageWalk(plan, activations, 0, target, probabilities, config, lambda _: as_table([LEARNED]))
    walk.run(1, reads, lambda operation, neurons: seen.append((operation, neurons)))
    return seen


def draw_walk(tracer: Tracer, image: Image.Image, path: Path) -> None:
    """The share of the class's evidence at each location of some layers, over the image."""
    layers = [
        (operation, neurons)
        for operation, neurons in walked(tracer, image)
        if len(operation.shape) == 3 and ("conv2d" in operation.name or "add" in operation.name or not operation.inputs)
    ]
    shown = [layers[number] for number in np.linspace(0, len(layers) - 1, 6).round().astype(int)]
    figure = Figure(figsize=(12, 2.4), layout="constrained")
    axes = figure.subplots(1, len(shown))
    for panel, (operation, neurons) in zip(axes, shown, strict=True):
        channels, height, width = operation.shape
        shares = np.zeros(height * width)
        np.add.at(shares, neurons.index // channels, neurons.shares[:, 0])
        panel.imshow(image.convert("L"), cmap="gray", extent=(0, width, height, 0), alpha=0.5)
        rows, columns = np.nonzero(shares.reshape(height, width))
        size = 20 + 400 * shares[shares > 0]
        panel.scatter(columns + 0.5, rows + 0.5, s=size, c=shares[shares > 0], cmap="inferno", edgecolors="white")
        name = operation.layer or "image"
        panel.set_title(f"{name}\n{channels} x {height} x {width}, {len(neurons.index)} neurons", fontsize=8)
        panel.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    figure.savefig(path, dpi=110)


def draw_report(storage: str, path: Path) -> None:
    """The head of the report of the job ``digits``, as a browser shows it."""
    from playwright.sync_api import sync_playwright

    with Database.open(storage) as database, database.reading() as session:
        report = make_report(session, "digits")
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        write(report, file, 12)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1000, "height": 2280})
        page.goto(file.as_uri())
        page.screenshot(path=path, type="jpeg", quality=80)
        browser.close()


def main() -> None:
    """Draw all pictures into docs/pictures."""
    torch.set_num_threads(1)
    PICTURES.mkdir(exist_ok=True)
    job = digits_job("pictures")
    image = load_dataset(job.dataset)[SHOWN].open()
    tracer = Tracer(load_model(job.architecture), TraceConfig.paper(linear=0.7, convolution=0.3), LEARNED)
    draw_walk(tracer, image, PICTURES / "walk.png")
    figure = tracer.explain(image).plot().figure
    figure.savefig(PICTURES / "explanation.png", dpi=80)
    draw_report(os.environ.get("TUNER_STORAGE", DEFAULT_STORAGE), PICTURES / "report.jpg")


if __name__ == "__main__":
    main()
