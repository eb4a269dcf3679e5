"""Where in time a sign is, learned from recordings with marked events: windows of keypoints, a
network over them, a level a window.
"""

from semiology.timeline.localise.network import WindowsBLSTM
from semiology.timeline.localise.settings import Localisation

__all__ = ["Localisation", "WindowsBLSTM"]
