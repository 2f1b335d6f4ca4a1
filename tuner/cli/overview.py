"""The overview of all jobs in a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tracer.printable import printable
from tuner.service import schema

COLORS = {"running": "green", "stopping": "yellow", "failed": "red", "abandoned": "red", "finished": "blue"}


def overview(jobs: Sequence[schema.JobSummary]) -> Table:
    """The jobs as the first page of the service shows them."""
    table = Table(title=f"tuning jobs, {datetime.now(UTC):%H:%M:%S} UTC", title_justify="left", expand=True)
    for column in ("job", "state", "progress", "pulls", "leading", "gained on the check"):
        table.add_column(column, justify="right" if column == "pulls" else "left", no_wrap=column in ("job", "state"))
    for job in jobs:
        pulls = f"{job.pulls:,}" if job.state == "finished" else f"{job.pulls:,} / {job.budget:,}"
        table.add_row(
            Text(printable(job.name)),
            Text(job.state, style=COLORS.get(job.state, "")),
            "" if job.state == "finished" else ProgressBar(job.budget, job.pulls, width=20),
            pulls,
            Text(", ".join(arm.told for arm in job.leading if arm.known)),
            job.gained,
        )
    return table
