"""The results of a run for readers: an HTML report, tables for R and SPSS, and model cards."""

from semiology.evaluation.report.page import write_report
from semiology.evaluation.report.tables import write_tables
from semiology.evaluation.report.tripod import write_card, write_cards

__all__ = ["write_card", "write_cards", "write_report", "write_tables"]
