"""What a run found, for people: one HTML file that needs nothing else, and a card beside every trained model."""

from semiology.report.model_card import write_card, write_cards
from semiology.report.page import write_report

__all__ = ["write_card", "write_cards", "write_report"]
