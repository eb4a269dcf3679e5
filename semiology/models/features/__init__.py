"""Snippets: half a second of video to one vector, by a frozen video network. From the GESTURES
paper (Pérez-García et al., MICCAI 2021).

pictures.py makes frames small, r2plus1d.py and frame_resnet.py are the networks, networks.py reads
their weights, features.py goes through a video.
"""

from semiology.models.features.snippets import (
    FRAMES,
    RATE,
    SIZE,
    SnippetNetwork,
    load_snippet_network,
    prepare_picture,
    snippet_features,
    whole_snippet,
)

__all__ = [
    "FRAMES",
    "RATE",
    "SIZE",
    "SnippetNetwork",
    "load_snippet_network",
    "prepare_picture",
    "snippet_features",
    "whole_snippet",
]
