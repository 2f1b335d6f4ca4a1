"""The report of a job as a file."""

import shlex
from importlib.metadata import version
from pathlib import Path

from jinja2 import PackageLoader

from tracer.documents import dump_document
from tracer.errors import TracerError
from tuner.errors import TunerError
from tuner.pages.report import Made, Picture, write_page
from tuner.report.job import JobReport, hashes, shareable
from tuner.report.pictures import draw


def write(report: JobReport, output: Path, pictures: int) -> None:
    """Write a report as one HTML file; the same database and version give the same bytes.

    Args:
        report: The report.
        output: The file; replaced whole, or left as it was.
        pictures: How many of the images that differ most are shown, at most.

    Raises:
        TracerError: If the file cannot be written.
    """
    job = report.job
    shown, reason = _pictures(report, pictures)
    made = Made(
        shlex.join(["tuner", "report", job.name, "-o", output.name, "--pictures", str(pictures)]),
        {
            "job created": job.created,
            "job ended": job.ended or "not yet",
            "seed": job.seed,
            "written by": f"bandit-tracer {version('bandit-tracer')}",
            **{f"{package} of the job": number for package, number in job.versions.items()},
            **{f"SHA-256 of the {what}": digest for what, digest in hashes(job).items()},
        },
        dump_document(shareable(job.spec)),
        report.data,
    )
    write_page(
        output, PackageLoader("tuner.report"), "job.html", report=report, made=made, pictures=shown, reason=reason
    )


def _pictures(report: JobReport, most: int) -> tuple[list[Picture], str]:
    """Pictures of the images that differ most, and, where there are none, why."""
    differ = [row for row in report.images.rows if row["difference"]]
    if not report.job.held_out:
        return [], "the job kept no images aside"
    if not report.images.rows:
        return [], "the images kept aside have not all been looked at yet"
    if not differ:
        return [], "base and learned settings come to the same on every image"
    if not most:
        return [], "none were asked for"
    try:
        return draw(report.job, report.spec, report.learned, differ[:most]), ""
    except (TracerError, TunerError) as error:
        return [], f"the images could not be explained again here: {error}"
