"""Features of frozen networks: VGG-19 of face and body crops (vgg.py), emotions of a face
(expression.py), and snippets, half a second of video to one vector by a video network (r2plus1d.py,
snippets.py) as in GESTURES (Pérez-García et al., MICCAI 2021).
"""

from semiology.models.features.snippets import (
    FRAMES,
    RATE,
    SIZE,
    SnippetNetwork,
    load_snippet_network,
    prepare_frame,
    snippet_features,
    whole_snippet,
)

__all__ = [
    "FRAMES",
    "RATE",
    "SIZE",
    "SnippetNetwork",
    "load_snippet_network",
    "prepare_frame",
    "snippet_features",
    "whole_snippet",
]
