"""The report of a job as a file."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import yaml
from jinja2 import PackageLoader

from tracer.errors import TracerError
from tuner.errors import TunerError
from tuner.pages.report import Made, write_page
from tuner.report.job import JobReport, hashes, shareable
from tuner.report.pictures import draw


def with_pictures(report: JobReport, most: int) -> JobReport:
    """The report with pictures of the images that differ most, or with the reason why there are none.

    Args:
        report: The report.
        most: How many pictures at most.
    """
    chosen = [row for row in report.images.rows if row["difference"]][:most]
    if not report.images.rows:
        return replace(report, without_pictures="No image was kept aside and looked at, so there is none to show.")
    if not chosen:
        reason = (
            "none were asked for" if any(row["difference"] for row in report.images.rows) else "all boxes are alike"
        )
        return replace(report, without_pictures=f"There are no pictures: {reason}.")
    try:
        return replace(report, pictures=draw(report.job, report.spec, report.learned, chosen))
    except (TracerError, TunerError) as error:
        return replace(report, without_pictures=f"The images could not be boxed again here: {error}")


def write(report: JobReport, output: Path) -> None:
    """Write a report as one HTML file; the same database and version give the same bytes.

    Raises:
        TracerError: If the file cannot be written.
    """
    job = report.job
    made = Made(
        f"tuner report {job.name} -o {output.name}",
        {
            "job created": job.created,
            "job ended": job.ended or "not yet",
            "seed": job.seed,
            "written by": f"bandit-tracer {version('bandit-tracer')}",
            **{f"{package} of the job": number for package, number in job.versions.items()},
            **{f"SHA-256 of the {what}": digest for what, digest in hashes(job).items()},
        },
        yaml.safe_dump(shareable(job.spec), sort_keys=False, allow_unicode=True),
        report.data,
    )
    write_page(output, PackageLoader("tuner.report"), "job.html", report=report, made=made)
