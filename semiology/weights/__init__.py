"""Published weights: a list with their sources and hashes, fetching and verifying them; and safe
reading of any weights.

Only `get`, which the user calls explicitly, uses the network.
"""

from semiology.weights.fetching import add, get
from semiology.weights.reading import check_hash, class_names, load_state, metadata
from semiology.weights.registry import (
    REGISTRY,
    Weights,
    called,
    find,
    known_weights,
    load,
    published,
    snippet_weights,
    verify,
    weights_folder,
)

__all__ = [
    "REGISTRY",
    "Weights",
    "add",
    "called",
    "check_hash",
    "class_names",
    "find",
    "get",
    "known_weights",
    "load",
    "load_state",
    "metadata",
    "published",
    "snippet_weights",
    "verify",
    "weights_folder",
]
