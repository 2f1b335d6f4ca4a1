"""Whatever stands on a command line, the answer is a result, one line of an error, or click's usage."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from storage.engine import Database
from tests.fuzz.fuzzing import fuzz, no_hang, tokens
from tests.tuner.fakes import FakeScorer, make_dataset, make_spec
from tuner.play.lifecycle import create, play
from tuner.play.plan import make_plan
from tuner.workers.pool import SerialPool

NETWORK = """\
from torch import nn

from tracer import Preprocessing


def net():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    module.preprocessing = Preprocessing(8, 8)
    return module
"""

SOUND = {
    "images": ["a.png", "boxes.csv"],
    "job": ["job.yaml"],
    "name": ["fake", "other"],
    "first": ["fake"],
    "second": ["other"],
    "storage": ["sqlite:///tuner.db"],
    "to": ["sqlite:///study.db"],
    "arch": ["net.py:net", "fake"],
    "checkpoint": ["a.png"],
    "weights": ["weights.yaml"],
    "compare": ["weights.yaml"],
    "output": ["out.png", "out"],
    "policy": ["ucb1", "race"],
    "kind": ["csv"],
    "methods": ["tracer"],
    "boxes": ["boxes.csv"],
    "device": ["cpu"],
}
"""Values that mean something, by the name of the argument or option."""

LEFT_OUT = {
    "tuner": {"demo", "submit", "attempts", "drive", "serve"},  # they start a job, reach a cluster, or wait for calls
    "experiments": {"speed", "policies", "serve"},  # they take as long as they are told to, or wait for calls
}
NOT_TYPED = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
"""What no command line can hold; the surrogates that are left stand for bytes that are no UTF-8."""
REACHING = {"address", "follow", "watch", "working_dir", "storage_env", "help"}
"""Options that reach a cluster, wait, or end the command at once."""


def commands(program: str) -> list[tuple[list[str], list[click.Parameter]]]:
    """The commands of a program: the words of each, and what it takes."""
    found: list[tuple[list[str], list[click.Parameter]]] = []

    def visit(command: click.Command, words: list[str]) -> None:
        if isinstance(command, click.Group):
            for name, inner in sorted(command.commands.items()):
                if name not in LEFT_OUT.get(program, ()):
                    visit(inner, [*words, name])
        else:
            found.append((words, [parameter for parameter in command.params if parameter.name not in REACHING]))

    visit(import_module(f"{program}.cli").main, [])
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a database of two jobs, an image, a network and a file of every kind."""
    folder = tmp_path_factory.mktemp("commands")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    patch.delenv("TRACER_CACHE", raising=False)
    patch.setenv("XDG_CACHE_HOME", str(folder))  # records of experiments stay out of the user's cache
    Image.new("RGB", (10, 8)).save("a.png")
    Path("net.py").write_text(NETWORK)
    Path("weights.yaml").write_text("format: 1\narchitecture: net.py:net\nweights: {pre: 0}\n")
    Path("boxes.csv").write_text("image,x0,y0,x1,y1\na.png,0,0,5,5\n")
    Path("job.yaml").write_text("architecture: nowhere:net\ndataset: {kind: csv, root: boxes.csv}\n")
    with Database.open("sqlite:///tuner.db", create=True) as database:
        for name in ("fake", "other"):
            plan = make_plan(make_spec(name=name), make_dataset(20))
            create(database, plan)
            play(database, plan, lambda: SerialPool(FakeScorer()))
    for line in (  # imports and compiles what would count as time of the first examples
        "tracer explain a.png --arch net.py:net --top-n 2",
        "tuner plot fake -o out.png --storage sqlite:///tuner.db",
        "tuner mirror fake --to sqlite:///study.db --storage sqlite:///tuner.db",
        "experiments localisation --arch net.py:net --kind csv --images boxes.csv --methods tracer",
    ):
        program, *words = line.split()
        invoked = CliRunner().invoke(import_module(f"{program}.cli").main, words)
        assert invoked.exit_code == 0, invoked.output
    yield folder
    patch.undo()


@st.composite
def command_lines(draw: st.DrawFn, program: str) -> list[str]:
    """A command with what it needs and some of what it takes; most values are sound, the others anything."""
    words, parameters = draw(st.sampled_from(commands(program)))
    line = list(words)
    for parameter in parameters:
        needed = parameter.required or parameter.name in {"storage", "methods"}
        if draw(st.integers(0, 9)) >= (9 if needed else 4):
            continue
        if isinstance(parameter, click.Option):
            line.append(draw(st.sampled_from(parameter.opts)))
            if parameter.is_flag:
                continue
        choices = getattr(parameter.type, "choices", None)
        sound = list(choices) if choices else SOUND.get(str(parameter.name), ["1", "0.5"])
        line.append(draw(st.sampled_from(sound)) if draw(st.integers(0, 2)) else draw(tokens))
    return [NOT_TYPED.sub("", word) for word in line]


def run(program: str, words: list[str]) -> None:
    main = import_module(f"{program}.cli").main
    with no_hang():
        result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code in {0, 1, 2}
    assert result.exit_code == 0 or result.output


@fuzz(150)
@given(words=command_lines("tuner"))
def test_tuner(place: Path, words: list[str]) -> None:
    run("tuner", words)


@fuzz(120)
@given(words=command_lines("tracer"))
def test_tracer(place: Path, words: list[str]) -> None:
    run("tracer", words)


@fuzz(60)
@given(words=command_lines("experiments"))
def test_experiments(place: Path, words: list[str]) -> None:
    run("experiments", words)
