"""What a run found, for people: one HTML file that needs nothing else, plain tables, and a card
beside every trained model.
"""

from semiology.evaluation.report.model_card import write_card, write_cards
from semiology.evaluation.report.page import write_report
from semiology.evaluation.report.tables import write_tables

__all__ = ["write_card", "write_cards", "write_report", "write_tables"]
