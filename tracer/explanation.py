"""What a user gets: the points of one image, what was made of them, and where it all came from."""

import base64
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tracer import points as geometry
from tracer.config import TraceConfig
from tracer.errors import ExplanationError, ImageError
from tracer.evidence import Alpha
from tracer.files import open_regular, sha256, write_atomically
from tracer.images import read_image, to_rgb
from tracer.printable import json_text
from tracer.reading import Trace, read
from tracer.settings import Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tracer.models import Model
    from tracer.plots import Row

FORMAT = 2
"""The format of saved explanations that is written and read."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a network gave an image a class: the traced evidence, its box and maps.

    Args:
        trace: The evidence, read at some depth.
        settings: What the image was explained with.
        size: Width and height of the original image, in pixels.
        box: Half-open x0, y0, x1, y1 in the original's pixels, float64 of shape (4,).
        name: The class's name.
        architecture: The network's name.
        checkpoint_sha256: Hash of the network's parameters; ``None`` where they came from no file.
        source: The image's path as it was given; ``None`` for an image that was no file.
        source_sha256: Hash of that file.
        versions: Versions of the packages that made it.
        predicted_name: The name of the most probable class, which need not be the one explained; ``None`` where it is
            not known.
        image: The original, upright RGB; ``None`` in a loaded explanation (see :meth:`picture`).
    """

    trace: Trace
    settings: Settings
    size: tuple[int, int]
    box: NDArray[np.float64]
    name: str
    architecture: str
    checkpoint_sha256: str | None = None
    source: str | None = None
    source_sha256: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    predicted_name: str | None = None
    image: Image.Image | None = None

    @classmethod
    def of(
        cls,
        trace: Trace,
        image: Image.Image,
        model: "Model",
        settings: Settings,
        source: Path | None = None,
        source_sha256: str | None = None,
    ) -> "Explanation":
        """The explanation that a trace gives.

        Args:
            trace: The evidence.
            image: The image that was traced, of any mode.
            model: The network.
            settings: What it was traced with.
            source: The image's file, where it has one.
            source_sha256: Its hash, where it is known already.
        """
        upright = to_rgb(image)
        return cls(
            trace,
            settings,
            upright.size,
            read([trace], [settings.config], upright.size)[0].box,
            model.class_name(trace.target),
            model.architecture,
            model.checkpoint_sha256,
            None if source is None else str(source),
            source_sha256 or (None if source is None else sha256(source)),
            {package: version(package) for package in ("bandit-tracer", "numpy", "torch")},
            None if trace.predicted is None else model.class_name(trace.predicted[0]),
            upright,
        )

    def __repr__(self) -> str:
        return (
            f"Explanation({self.headline!r}, {self.whereabouts}, depth={self.trace.depth!r}, "
            f"{self.alpha}, architecture={self.architecture!r}, source={self.source!r})"
        )

    @property
    def points(self) -> NDArray[np.int64]:
        """Rows and columns of the cells with evidence in the map that was read, shape (n, 2)."""
        return self.trace.points

    @property
    def shares(self) -> NDArray[np.float64]:
        """Each point's share of the class's evidence, shape (n,); they sum to 1."""
        return self.trace.shares

    @property
    def target(self) -> int:
        """Index of the class explained."""
        return self.trace.target

    @property
    def probability(self) -> float:
        """The network's probability of the class, 0 to 1."""
        return self.trace.probability

    @property
    def headline(self) -> str:
        """The class explained with its probability; where the network predicted another class, that one too."""
        said = f"{self.name} {self.probability:.1%}"
        predicted = self.trace.predicted
        if predicted is None or predicted[0] == self.target:
            return said
        return f"{said} (predicted: {self.predicted_name} {predicted[1]:.1%})"

    @property
    def whereabouts(self) -> str:
        """The box in whole pixels, or that there is none, for nothing in the image speaks for the class."""
        if not len(self.points):
            return f"no evidence at {self.trace.depth}"
        x0, y0, x1, y1 = (round(float(side)) for side in self.box)
        return f"box ({x0}, {y0}, {x1}, {y1})"

    @property
    def alpha(self) -> Alpha:
        """The weights of the evidence."""
        return self.settings.alpha

    @property
    def config(self) -> TraceConfig:
        """How it was traced."""
        return self.settings.config

    @cached_property
    def outliers(self) -> NDArray[np.bool_]:
        """Which points the box leaves out when it is drawn around points, shape (n,)."""
        return geometry.outliers(self.points, self.trace.shape, self.size)

    @cached_property
    def heatmap(self) -> NDArray[np.float64]:
        """The points blurred, each alike (the paper's), shape (h, w) of the network's input; the maximum is 1."""
        return self.trace.density(self.size)

    @cached_property
    def saliency(self) -> NDArray[np.float64]:
        """The map of shares, blurred by ``spread``, shape (h, w) of the network's input; the maximum is 1."""
        return self.trace.saliency(self.config.spread, self.size)

    @property
    def shown_map(self) -> NDArray[np.float64]:
        """The map that pictures show: the one that the box is cut from (``box="patch"``), else the paper's heatmap."""
        return self.saliency if self.config.box == "patch" else self.heatmap

    def picture(self) -> Image.Image:
        """The original image; of a loaded explanation, read again from its source.

        Raises:
            ImageError: If the source is missing, or is not the file that was explained.
        """
        if self.image is not None:
            return self.image
        if self.source is None:
            raise ImageError("the explained image was no file, so it cannot be shown again; keep the picture")
        image = read_image(self.source)
        if sha256(Path(self.source)) != self.source_sha256:
            raise ImageError(f"{self.source}: changed since it was explained; explain it again")
        return image

    def plot(self, axes: "Sequence[Axes] | None" = None) -> "Figure":
        """Image, points, map and box side by side, with the class and its probability.

        The map is the one that the box is cut from (``box="patch"``), else the paper's heatmap.

        Args:
            axes: Four axes to draw into; without them a new figure is made, which no global state holds.

        Raises:
            ImageError: If the image is not at hand any more (:meth:`picture`).
        """
        from tracer import plots

        return plots.draw(self.row(), axes) if axes is not None else plots.figure([self.row()])

    def overlay(self, *, box: bool = True) -> Image.Image:
        """The map laid over the image, with the box, as a picture of the image's own size.

        Args:
            box: Whether the box is drawn too.

        Raises:
            ImageError: If the image is not at hand any more (:meth:`picture`).
        """
        from tracer import plots

        return plots.overlay(self.row(), box=box)

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: the overlay; nothing where the image is not at hand any more."""
        try:
            overlay = self.overlay()
        except ImageError:
            return None
        content = io.BytesIO()
        overlay.save(content, "png")
        return content.getvalue()

    def _repr_html_(self) -> str:
        """What a notebook shows: the overlay with a caption; the caption alone where the image is not at hand."""
        said = f"{self.headline.removeprefix(self.name).strip()}, {self.whereabouts}, {self.architecture}"
        said += f", read at {self.trace.depth}"
        caption = f"<figcaption><b>{html.escape(self.name)}</b> {html.escape(said)}</figcaption>"
        png = self._repr_png_()
        source = "" if png is None else f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        return f'<figure style="margin: 0">{source}{caption}</figure>'

    def row(self, title: str = "") -> "Row":
        """What a figure shows of the explanation.

        Args:
            title: What stands before the settings, such as the weight file's name.

        Raises:
            ImageError: If the image is not at hand any more (:meth:`picture`).
        """
        from tracer.plots import Row

        patch = self.config.box == "patch"
        alpha = self.alpha
        weights = f"α cur {alpha.cur:g}  suc {alpha.suc:g} ({self.config.successor})  pre {alpha.pre:g}"
        if self.config.dense:
            weights = "excitation backpropagation"
        rows, columns = self.trace.shape
        read = f"read at {self.trace.depth} ({columns} x {rows})"
        architecture = self.architecture.rpartition("/")[2]  # without the folder of a user's own file
        return Row(
            np.asarray(self.picture()),
            geometry.to_original(self.points, self.trace.shape, self.size),
            self.shares,
            self.outliers if not patch else np.zeros(len(self.points), dtype=np.bool_),
            self.shown_map,
            "map" if patch else "heatmap",
            self.box,
            self.headline,
            "   ".join(filter(None, (title, architecture, weights, read))),
        )

    def save(self, folder: str | Path, stem: str | None = None) -> Path:
        """Write the picture and the JSON beside it, each whole or not at all.

        Args:
            folder: Where to; made if it is missing.
            stem: How the files' names begin; without it that of the source, or ``image``.

        Returns:
            The picture, ``STEM.explanation.png``; the JSON is ``STEM.explanation.json``.

        Raises:
            OutputError: If a file cannot be written.
            ImageError: If the image is not at hand any more (:meth:`picture`).
        """
        from tracer import plots

        stem = stem or (Path(self.source).stem if self.source else "image")
        picture, record = (Path(folder) / f"{stem}.explanation.{kind}" for kind in ("png", "json"))
        content = plots.png(self.plot())
        write_atomically(picture, content, make_folder=True)
        write_atomically(record, f"{json_text(self.to_dict(), 1)}\n".encode())
        return picture

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pixels, as JSON takes it; what :meth:`save` writes.

        ``points`` holds one object a point: ``row`` and ``column`` in the map that was read (``depth`` says where and
        how many cells it has), the centre ``x``, ``y`` in the original image, ``share`` and ``outlier``. ``box`` is
        [x0, y0, x1, y1].
        """
        centres = geometry.to_original(self.points, self.trace.shape, self.size)
        predicted = self.trace.predicted
        return {
            "format": FORMAT,
            "image": {
                "path": self.source,
                "sha256": self.source_sha256,
                "width": self.size[0],
                "height": self.size[1],
            },
            "class": _class(self.target, self.name, self.probability),
            "predicted": None if predicted is None else _class(predicted[0], self.predicted_name, predicted[1]),
            "box": self.box.tolist(),
            "model": {
                "architecture": self.architecture,
                "checkpoint_sha256": self.checkpoint_sha256,
                "input": {"height": self.trace.input[0], "width": self.trace.input[1]},
            },
            "depth": {"layer": self.trace.depth, "rows": self.trace.shape[0], "columns": self.trace.shape[1]},
            "alpha": asdict(self.alpha),
            "layers": {name: asdict(alpha) for name, alpha in self.settings.layers.items()},
            "tracer": asdict(self.config),
            "versions": dict(self.versions),
            "points": [
                {"row": row, "column": column, "x": x, "y": y, "share": share, "outlier": outlier}
                for (row, column), (x, y), share, outlier in zip(
                    self.points.tolist(),
                    centres.round(2).tolist(),
                    self.shares.tolist(),
                    self.outliers.tolist(),
                    strict=True,
                )
            ],
        }

    @classmethod
    def load(cls, path: str | Path) -> "Explanation":
        """A saved explanation, from its JSON; the image is read when it is asked for (:meth:`picture`).

        Raises:
            ExplanationError: If the file is missing or is not an explanation of this format.
        """
        try:
            with open_regular(Path(path)) as file:
                content = json.loads(file.read().decode("utf-8"))
            if content["format"] != FORMAT:
                raise ExplanationError(
                    f"{path}: format {content['format']!r} instead of {FORMAT}; explain the image again"
                )
            return cls._from_dict(content)
        except FileNotFoundError as error:
            raise ExplanationError(f"{path}: no such explanation; check the path") from error
        except OSError as error:
            raise ExplanationError(f"{path}: cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ExplanationError(
                f"{path}: not a saved explanation ({type(error).__name__}: {error}); explain the image again"
            ) from error

    @classmethod
    def _from_dict(cls, content: Mapping[str, Any]) -> "Explanation":
        image, model, points, depth = content["image"], content["model"], content["points"], content["depth"]
        predicted = content.get("predicted")
        trace = Trace(
            np.array([(point["row"], point["column"]) for point in points], dtype=np.int64).reshape(-1, 2),
            np.array([point["share"] for point in points], dtype=np.float64),
            (int(depth["rows"]), int(depth["columns"])),
            int(content["class"]["index"]),
            float(content["class"]["probability"]),
            str(depth["layer"]),
            (int(model["input"]["height"]), int(model["input"]["width"])),
            None if predicted is None else (int(predicted["index"]), float(predicted["probability"])),
        )
        layers = {name: Alpha(**alpha) for name, alpha in content["layers"].items()}
        return cls(
            trace,
            Settings(Alpha(**content["alpha"]), TraceConfig(**content["tracer"]), layers),
            (int(image["width"]), int(image["height"])),
            np.array(content["box"], dtype=np.float64).reshape(4),
            str(content["class"]["name"]),
            str(model["architecture"]),
            model["checkpoint_sha256"],
            image["path"],
            image["sha256"],
            content["versions"],
            None if predicted is None else str(predicted["name"]),
        )


def _class(index: int, name: str | None, probability: float) -> dict[str, Any]:
    """A class as it is saved."""
    return {"index": index, "name": name, "probability": probability}
