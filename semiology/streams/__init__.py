"""The networks: plain nn.Modules, features separate from the head, that know nothing of training."""

from semiology.streams.agcn import AGCN
from semiology.streams.gat import GAT
from semiology.streams.network import Network
from semiology.streams.shape import StreamShape
from semiology.streams.tcn import TCN

__all__ = ["AGCN", "GAT", "TCN", "Network", "StreamShape"]
