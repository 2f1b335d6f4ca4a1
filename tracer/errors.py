"""Errors of the tracer; each says what is wrong, where, and the mend, in one line.

::

    TracerError
    ├── ArchitectureError            no such network, or it could not be made
    │   ├── UnknownArchitectureError     the name stands for nothing here; the nearest names are given
    │   ├── UnsupportedArchitectureError a network whose prediction cannot be traced back, such as a transformer
    │   ├── ExportError                  torch.export cannot capture the network, or it is no classifier
    │   └── UnsupportedOperatorError     an operator of the network has no rule; the lines that register one are given
    ├── FactoryError                 a function of the user's own cannot be imported, or fails
    ├── CheckpointError              a file of parameters is missing, corrupt, or does not fit the network
    ├── DeviceError                  no such device on this machine
    ├── ImageError                   an image is missing, corrupt, too large, or of a kind that is not read
    ├── InputError                   a batch of tensors has a wrong shape
    ├── TargetError                  no such class
    ├── SettingError                 no such setting, or a value that it may not take
    ├── DepthError                   no such cut of the network to read the evidence at
    ├── DocumentError                a YAML file is missing, unreadable, or no tree of plain values
    ├── WeightsError                 a weight file is missing, malformed, or made for another architecture
    ├── ExplanationError             a saved explanation is missing or malformed
    └── OutputError                  a file could not be written
"""

import difflib
from collections.abc import Iterable

_WORD = 3
"""How many letters are a word, which names may have within them."""


class TracerError(Exception):
    """Root of the errors that a caller of the tracer may catch."""


class ArchitectureError(TracerError):
    """A network could not be made from its name."""


class UnknownArchitectureError(ArchitectureError):
    """An architecture's name stands for nothing here."""


class UnsupportedArchitectureError(ArchitectureError):
    """A network is known, but its prediction cannot be traced back."""


class ExportError(ArchitectureError):
    """``torch.export`` cannot capture a network, or the network is no classifier."""


class UnsupportedOperatorError(ArchitectureError):
    """An operator of a network has no rule."""


class FactoryError(TracerError):
    """A function of the user's own cannot be imported, or fails."""


class CheckpointError(TracerError):
    """A file of parameters is missing, corrupt, or does not fit the network."""


class DeviceError(TracerError):
    """A device is not there."""


class ImageError(TracerError):
    """An image is missing, corrupt, too large, or of a kind that is not read."""


class InputError(TracerError):
    """A batch of tensors has a wrong shape."""


class TargetError(TracerError):
    """A class to explain is not one of the network's."""


class SettingError(TracerError):
    """A setting is unknown, or a value is none that it may take."""


class DepthError(TracerError):
    """A layer to read the evidence at is no cut of the network."""


class DocumentError(TracerError):
    """A YAML file is missing, unreadable, or no tree of plain values."""


class WeightsError(TracerError):
    """A weight file is missing, malformed, or made for another architecture."""


class ExplanationError(TracerError):
    """A saved explanation is missing or malformed."""


class OutputError(TracerError):
    """A file could not be written."""


def nearest(name: str, known: Iterable[str], limit: int = 3) -> str:
    """`` (nearest: a, b)`` with the known names closest to a wrong one, or the empty string where none is close.

    Names that begin with what was written, or have it within them, come before those that only look alike.
    """
    lower = {candidate.lower(): candidate for candidate in known}
    written = name.lower()
    inside = [candidate for candidate in lower if len(written) >= _WORD and written in candidate]
    inside.sort(key=lambda candidate: (not candidate.startswith(written), len(candidate), candidate))
    alike = difflib.get_close_matches(written, lower, n=limit, cutoff=0.5)
    close = list(dict.fromkeys([*inside, *alike]))[:limit]
    return f" (nearest: {', '.join(lower[match] for match in close)})" if close else ""
