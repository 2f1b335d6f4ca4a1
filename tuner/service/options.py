"""How a server is set up."""

from dataclasses import dataclass, field
from pathlib import Path

from tuner.errors import SpecError

TOKEN = "TUNER_TOKEN"
"""The environment variable that holds the token which every request must bring."""

SHORTEST_TOKEN = 16
"""Characters that a token has at least: a shorter one can be guessed."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

DIGITS = "tuner.digits:digits_cnn"
"""The project's own small network: the only factory that every server takes."""


@dataclass(frozen=True)
class Control:
    """What may be steered, and how far.

    Args:
        roots: Folders that every path of a job file must lie in; relative paths start from the first.
        factories: Factories of networks and explainers that a job file may name, beside torchvision's networks.
        address: The dashboard of the Ray cluster where jobs run; without it they run on the server's machine.
        storage_env: Name of the environment variable that holds the database's URL on the cluster.
        most: Jobs that may run on the server's machine at a time.
    """

    roots: tuple[Path, ...]
    factories: frozenset[str] = frozenset()
    address: str | None = None
    storage_env: str = "TUNER_STORAGE"
    most: int = 2


@dataclass(frozen=True)
class Options:
    """How a server is set up.

    Args:
        storage: URL of the database; never shown, for it may hold a password.
        host: Address that the server listens at.
        token: What every request must bring; without one the server listens to its own machine alone.
        hosts: Further names under which the server may be reached, as a proxy passes them on.
        root_path: The path under which a proxy shows the server, such as ``/tuner``.
        factories: Factories that an image may be traced with, beside torchvision's networks.
        control: What may be steered; without it nothing.
        interval: Seconds between two looks at the database.

    Raises:
        SpecError: If the server would listen to other machines without a token, or the token is too short.
    """

    storage: str = field(repr=False)
    host: str = "127.0.0.1"
    token: str | None = field(default=None, repr=False)
    hosts: frozenset[str] = frozenset()
    root_path: str = ""
    factories: frozenset[str] = frozenset({DIGITS})
    control: Control | None = None
    interval: float = 1.0

    def __post_init__(self) -> None:
        if self.token is None and self.host not in LOOPBACK:
            raise SpecError(
                f"--host {self.host}: other machines could reach it; set {TOKEN} in the environment to a secret that "
                "every request must bring (openssl rand -hex 32), or listen at 127.0.0.1"
            )
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise SpecError(f"{TOKEN}: shorter than {SHORTEST_TOKEN} characters; make one with: openssl rand -hex 32")
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise SpecError(f"{TOKEN}: holds a character that no header carries; make one with: openssl rand -hex 32")
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise SpecError(f"--root-path {self.root_path}: write a path such as /tuner, without a slash at its end")
