"""What a run found, for people: one HTML file that needs nothing else."""

from semiology.report.page import write_report

__all__ = ["write_report"]
