"""The networks: plain nn.Modules, features separate from the head, that know nothing of training.

Configs and `model.json` name them by the short names of `NETWORKS`. Names of this package are
imported when they are first used, so that settings can be read without torch. A few short names are
of packages above this one, as text: their classes are imported by whoever builds them
(`base.Network`), as a class of the user's own is, and no code here knows more of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semiology.models.networks.agcn import AGCN
    from semiology.models.networks.base import Network, StreamShape
    from semiology.models.networks.ctrgcn import CTRGCN
    from semiology.models.networks.gat import GAT
    from semiology.models.networks.patches import Patches
    from semiology.models.networks.segments import Aggregator, Segments
    from semiology.models.networks.tcn import TCN
    from semiology.models.networks.transformer import SkeletonTransformer

__all__ = [
    "AGCN",
    "CTRGCN",
    "GAT",
    "NETWORKS",
    "SOLVED",
    "TCN",
    "Aggregator",
    "Network",
    "Patches",
    "Segments",
    "SkeletonTransformer",
    "StreamShape",
]

NETWORKS = {  # short name -> class path
    "agcn": "semiology.models.networks.agcn.AGCN",
    "ctrgcn": "semiology.models.networks.ctrgcn.CTRGCN",
    "transformer": "semiology.models.networks.transformer.SkeletonTransformer",
    "tcn": "semiology.models.networks.tcn.TCN",
    "gat": "semiology.models.networks.gat.GAT",
    "patches": "semiology.models.networks.patches.Patches",
    "segments": "semiology.models.networks.segments.Segments",
    # of packages above this one
    "minirocket": "semiology.experiments.rockets.MiniRocket",
    "multirocket": "semiology.experiments.rockets.MultiRocket",
    "estimator": "semiology.experiments.estimators.Estimator",
    "windows_blstm": "semiology.timeline.localise.network.WindowsBLSTM",
}
# fitted at once, not trained in epochs; stated here so that an audit knows it without torch
SOLVED = ("minirocket", "multirocket", "estimator")
_MODULES = {
    "AGCN": "agcn",
    "CTRGCN": "ctrgcn",
    "SkeletonTransformer": "transformer",
    "TCN": "tcn",
    "GAT": "gat",
    "Patches": "patches",
    "Segments": "segments",
    "Aggregator": "segments",
    "Network": "base",
    "StreamShape": "base",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
