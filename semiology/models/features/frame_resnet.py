"""The paper's comparison without movement: a 2D ResNet that reads each frame by itself, and the mean over the snippet."""

from collections.abc import Mapping
from typing import Self

from torch import Tensor
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from semiology.models.features.vgg import IMAGENET_MEAN, IMAGENET_STD


class FrameResNet(ResNet):
    """torchvision's ResNet over frames. The authors' code has ResNet-50 and Wide ResNet-50-2 trained on ImageNet [C]; any other one of
    torchvision's layout will do.

    Shapes: (batch, 3, time, height, width), normalised by ImageNet's mean and deviation -> logits (batch, class), the mean over time.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> Self:
        """The network that a state dict's shapes tell, without its weights.

        Raises:
            KeyError: a tensor that the network must have is not there.
        """
        layers = [len({name.split(".")[1] for name in state if name.startswith(f"layer{layer}.")}) for layer in range(1, 5)]
        if "layer1.0.conv3.weight" not in state:
            return cls(BasicBlock, layers, len(state["fc.weight"]))
        wide, each = state["layer1.0.conv2.weight"].shape[:2]
        return cls(Bottleneck, layers, len(state["fc.weight"]), groups=wide // each, width_per_group=each)

    @property
    def channels(self) -> int:
        return self.fc.in_features

    def forward_features(self, values: Tensor) -> Tensor:
        """(batch, channel): the layer before the classifier, the mean over frames and picture."""
        batch, time = values.shape[0], values.shape[2]
        frames = values.transpose(1, 2).flatten(0, 1)  # (batch * time, 3, height, width)
        frames = self.maxpool(self.relu(self.bn1(self.conv1(frames))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            frames = layer(frames)  # at last (batch * time, channel, height / 32, width / 32)
        return frames.mean((2, 3)).view(batch, time, -1).mean(1)

    def forward(self, values: Tensor) -> Tensor:
        return self.fc(self.forward_features(values))
