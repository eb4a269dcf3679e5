"""Localisation of signs in time, learned from recordings with annotated events: a network over
windows of keypoints classifies each window.
"""

from semiology.timeline.localise.network import WindowsBLSTM
from semiology.timeline.localise.settings import Localisation

__all__ = ["Localisation", "WindowsBLSTM"]
