"""What can go wrong in an experiment.

ExperimentError
├── CacheError       the file of records that were made before cannot be used
├── MethodError      an attribution method that is not known, or that cannot explain this network
├── SeenError        images that the tracer's settings were learned on
└── SettingError     an option that does not fit the data or the other options
"""


class ExperimentError(Exception):
    """Root of this package's errors; the message is one line that says what is wrong and the mend."""


class CacheError(ExperimentError):
    """The file of records that were made before cannot be used."""


class MethodError(ExperimentError):
    """An attribution method is unknown, or its library cannot explain this network."""


class SeenError(ExperimentError):
    """Settings were to be judged on images that they were learned on."""


class SettingError(ExperimentError):
    """An option does not fit the data or the other options."""
