"""Train the networks whose features are read, on what the user holds: labelled images or clips, or
tracks without labels.

training.py reads class folders, trains, tests and saves any classifier; images.py trains a VGG-19
on faces or bodies; clips.py cuts videos into snippets and trains a small R(2+1)D on them.
skeleton.py trains an encoder of keypoints on tracks that tracks.py finds in many places, by the
task in masked.py.
"""

from semiology.models.pretraining.clips import pretrain_action
from semiology.models.pretraining.images import pretrain, read_images
from semiology.models.pretraining.skeleton import pretrain_skeleton

__all__ = ["pretrain", "pretrain_action", "pretrain_skeleton", "read_images"]
