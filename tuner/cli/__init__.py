"""The ``tuner`` command. A module a topic; nothing heavy is imported before a command runs."""

import sys

import click

from tuner.cli import cluster, database, demo, jobs, report, results, service
from tuner.cli.errors import error_line, exit_status


class Commands(click.Group):
    """A group that turns the project's errors into one line on stderr and the exit status of the contract."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; 1 where it failed, 2 where its input was bad."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            status = exit_status(error)
            if status is None:
                raise
            click.echo(f"tuner: {error_line(error)}", err=True)
            sys.exit(status)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="bandit-tracer", prog_name="tuner")
def main() -> None:
    """Learn the weights of the trace for a network, as a bandit job on Ray.

    The database is --storage, else the environment's TUNER_STORAGE, else sqlite:///runs/tuner.db. Data goes to
    stdout, progress and logs to stderr. Exit status: 0 done, 1 failed or stopped, 2 bad usage or input.
    """


for command in (
    jobs.run,
    jobs.list_,
    jobs.status,
    jobs.resume,
    jobs.stop,
    jobs.logs,
    jobs.verify,
    results.arms,
    results.pulls,
    results.compare,
    results.replay,
    results.plot,
    report.report,
    results.export,
    results.mirror,
    database.db,
    demo.demo,
    service.serve,
    service.top,
    cluster.submit,
    cluster.attempts,
    cluster.drive,
):
    main.add_command(command)
