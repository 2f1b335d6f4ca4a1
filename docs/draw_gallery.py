"""Draws the gallery of README.md: ``python docs/draw_gallery.py RESNET18.pth``; needs scikit-image for its photographs.

They are in the public domain or under CC0: Chelsea the cat (Stéfan van der Walt), a cup of coffee (Rachel Michetti),
the launch of a rocket (SpaceX). Each is explained by ResNet-18 with the paper's walk and with the settings that were
learned for the network; none of them was among the images learned on.
"""

import io
import sys
from pathlib import Path

import skimage.data
from PIL import Image

from tracer import Settings, TraceConfig, Tracer, learned_weights, load_model, plots

PICTURES = Path(__file__).parent / "pictures"
ARCHITECTURE = "resnet18"
WIDTH = 1200


def main(checkpoint: str) -> None:
    """Draw a picture a photograph, the paper's walk above and the learned settings below."""
    weights = learned_weights(ARCHITECTURE)
    assert weights is not None
    settings = {"the paper's walk": Settings(config=TraceConfig.paper()), "learned": weights.settings}
    tracer = Tracer(load_model(ARCHITECTURE, checkpoint))
    for name in ("chelsea", "coffee", "rocket"):
        image = Image.fromarray(getattr(skimage.data, name)())
        (explained,) = tracer.explain_classes(image, list(settings.values()))
        rows = [each.row(title) for each, title in zip(explained, settings, strict=True)]
        picture = Image.open(io.BytesIO(plots.png(plots.figure(rows)))).convert("RGB")
        picture.thumbnail((WIDTH, WIDTH))
        picture.save(PICTURES / f"gallery-{name}.jpg", quality=80)


if __name__ == "__main__":
    main(sys.argv[1])
