"""A network of the user's own that knows red from blue, and three images with a red square whose box is known."""

from pathlib import Path

from PIL import Image

NETWORK = """
import torch
from torch import nn

from tracer import Preprocessing


def colours():
    head = nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])[:, :, None, None])
    network = nn.Sequential(head, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    network.preprocessing = Preprocessing(32, 32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return network
"""


def write_colours(folder: Path) -> list[str]:
    """Write both into a folder; the options that name them."""
    (folder / "colours.py").write_text(NETWORK)
    lines = ["image,x0,y0,x1,y1"]
    for place in range(3):
        image = Image.new("RGB", (64, 48))
        image.paste((255, 0, 0), (4 * place, 4, 4 * place + 20, 24))
        image.save(folder / f"{place}.png")
        lines.append(f"{place}.png,{4 * place},4,{4 * place + 20},24")
    (folder / "boxes.csv").write_text("\n".join(lines) + "\n")
    return ["--arch", f"{folder / 'colours.py'}:colours", "--images", str(folder / "boxes.csv"), "--kind", "csv"]
