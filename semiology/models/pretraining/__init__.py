"""Train the networks whose features the streams read, on labelled pictures or clips that the user
holds.

folders.py reads class folders, fitting.py trains and judges any classifier; pictures.py trains a
VGG-19 on faces or bodies, clips.py cuts videos into snippets, actions.py trains a small R(2+1)D on
them.
"""

from semiology.models.pretraining.clips import pretrain_action
from semiology.models.pretraining.images import pretrain, read_images

__all__ = ["pretrain", "pretrain_action", "read_images"]
