"""Train the networks whose features are read, on labelled images or clips that the user holds.

training.py reads class folders, trains, tests and saves any classifier; images.py trains a VGG-19
on faces or bodies; clips.py cuts videos into snippets and trains a small R(2+1)D on them.
"""

from semiology.models.pretraining.clips import pretrain_action
from semiology.models.pretraining.images import pretrain, read_images

__all__ = ["pretrain", "pretrain_action", "read_images"]
