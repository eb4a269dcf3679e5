"""The networks: plain nn.Modules, features separate from the head, that know nothing of training."""

from typing import Any

from semiology.models.networks.agcn import AGCN
from semiology.models.networks.base import Network, StreamShape
from semiology.models.networks.segments import Aggregator, Segments
from semiology.models.networks.tcn import TCN

__all__ = ["AGCN", "GAT", "TCN", "Aggregator", "Network", "Segments", "StreamShape"]


def __getattr__(name: str) -> Any:
    """GAT when it is first asked for: torch-geometric takes as long to import as all the rest."""
    if name == "GAT":
        from semiology.models.networks.gat import GAT

        return GAT
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
