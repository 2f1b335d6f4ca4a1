"""A job as one HTML file: what was tuned, what came of it, and what would change that (`tuner report`)."""

from tuner.report.job import JobReport, make_report
from tuner.report.page import write

__all__ = ["JobReport", "make_report", "write"]
