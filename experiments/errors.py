"""What can go wrong in an experiment.

ExperimentError
├── MethodError      an attribution method that is not known, or that cannot explain this network
└── SettingError     an option that does not fit the data or the other options
"""


class ExperimentError(Exception):
    """Root of this package's errors; the message is one line that says what is wrong and the mend."""


class MethodError(ExperimentError):
    """An attribution method is unknown, or its library cannot explain this network."""


class SettingError(ExperimentError):
    """An option does not fit the data or the other options."""
