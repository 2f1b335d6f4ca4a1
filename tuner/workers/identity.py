"""What the scores of a job come from, as hashes: every process that scores images for it has to hold the same."""

from dataclasses import dataclass

from tracer.sources import is_own
from tuner.errors import ChangedError
from tuner.spec.code import explaining_code, judging_code
from tuner.spec.job import JobSpec


@dataclass(frozen=True)
class Identity:
    """Hashes of 64 hexadecimal digits; ``None`` where one is not known.

    Args:
        parameters_sha256: Of the network's parameters as they were loaded (:attr:`tracer.Model.parameters_sha256`).
        code_sha256: Of the user's own code that the job names: the files that its factories stand in
            (:func:`tracer.factories.source_files`), a weight file that the reward reads, and tensors and arrays that
            are held beside the network's parameters. These are looked for in attributes, containers and closures, and
            in the globals that functions of these files use. ``None`` where a job names neither code nor such a file.
    """

    parameters_sha256: str | None = None
    code_sha256: str | None = None

    def check(self, found: "Identity", spec: JobSpec) -> None:
        """Refuse what is not the same.

        Args:
            found: What was loaded in this process.
            spec: The job.

        Raises:
            ChangedError: If a hash that is known here is another one there.
        """
        named = ", ".join(factories(spec)) or "the reward's files"
        for what, known, other in (
            (f"the parameters of {spec.architecture}", self.parameters_sha256, found.parameters_sha256),
            (f"the code of {named}, or tensors that it holds,", self.code_sha256, found.code_sha256),
        ):
            if known not in (None, other):
                raise ChangedError(
                    f"{what} are not those that the job began with (sha256 {str(other)[:12]}, not {known[:12]}): "
                    "let every node load the same ones"
                )


def factories(spec: JobSpec) -> list[str]:
    """The functions of the user's own that a job names."""
    named = [*explaining_code(spec), *judging_code(spec.reward)]
    return [each for key, each in named if key != "architecture" or is_own(each)]
