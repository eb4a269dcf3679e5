"""The report's figures, by kind."""

from semiology.evaluation.report.attribution import deletion_figure, time_strip
from semiology.evaluation.report.figures import attribution_figure, link_strength, skeleton_figure, strongest_links
from semiology.evaluation.report.figures_chance import chance_figure, null_counts, null_histogram
from semiology.evaluation.report.reliability import reliability_figure
from semiology.evaluation.report.roc import roc_figure
from semiology.evaluation.report.svg import line_key

__all__ = [
    "attribution_figure",
    "chance_figure",
    "deletion_figure",
    "line_key",
    "link_strength",
    "null_counts",
    "null_histogram",
    "reliability_figure",
    "roc_figure",
    "skeleton_figure",
    "strongest_links",
    "time_strip",
]
