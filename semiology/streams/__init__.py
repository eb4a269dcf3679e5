"""The networks: plain nn.Modules, features separate from the head, that know nothing of training."""

from typing import Any

from semiology.streams.agcn import AGCN
from semiology.streams.aggregator import Aggregator
from semiology.streams.network import Network
from semiology.streams.segments import Segments
from semiology.streams.shape import StreamShape
from semiology.streams.tcn import TCN

__all__ = ["AGCN", "GAT", "TCN", "Aggregator", "Network", "Segments", "StreamShape"]


def __getattr__(name: str) -> Any:
    """GAT when it is first asked for: torch-geometric takes as long to import as all the rest."""
    if name == "GAT":
        from semiology.streams.gat import GAT

        return GAT
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
