"""R(2+1)D: a ResNet whose 3D convolutions are a spatial one, then a temporal one; built from the
shapes of its weights.

The paper's comparison without movement: a 2D ResNet that reads each frame by itself, and the mean
over the snippet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from semiology.models.features.vgg import IMAGENET_MEAN, IMAGENET_STD

KINETICS_MEAN, KINETICS_STD = (
    (0.43216, 0.394666, 0.37645),
    (0.22803, 0.22145, 0.216989),
)  # as torchvision's preset for its weights [C]
PORTED_EPS = 1e-3  # of batch norm in checkpoints that were ported from Caffe2, such as IG-65M's [C]
LAYERS = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
}  # depth -> blocks of each layer [P]; ten is our choice


@dataclass(frozen=True)
class Shape:
    """The sizes of a network's layers, as its weights have them.

    Attributes:
        stem: channels between and after the two convolutions of the stem.
        blocks: for each of four layers, for each of its blocks: channels between the spatial and
            the temporal convolution of its first and its second pair.
        channels: after each layer.
        classes: number of outputs.
        eps: of batch norm, which no tensor holds: see `read`.
    """

    stem: tuple[int, int]
    blocks: tuple[tuple[tuple[int, int], ...], ...]
    channels: tuple[int, ...]
    classes: int
    eps: float = 1e-5

    @classmethod
    def read(cls, state: Mapping[str, Tensor]) -> Self:
        """From a state dict with torchvision's names.

        torchvision gives both pairs of a block that halves the image the same channels in between;
        Caffe2's form computes those of the second from its own input, which has twice as many
        channels. Where the two differ the checkpoint was ported from there, and its batch norm has
        eps 1e-3. [C]

        Raises:
            KeyError: a tensor that the network must have is not there.
        """
        layers = []
        for layer in range(1, 5):
            count = len({name.split(".")[1] for name in state if name.startswith(f"layer{layer}.")})
            layers.append(
                tuple(
                    tuple(
                        len(state[f"layer{layer}.{block}.conv{pair}.0.0.weight"]) for pair in (1, 2)
                    )
                    for block in range(count)
                )
            )
        return cls(
            stem=(len(state["stem.0.weight"]), len(state["stem.3.weight"])),
            blocks=tuple(layers),  # type: ignore[arg-type]
            channels=tuple(len(state[f"layer{layer}.0.conv1.0.3.weight"]) for layer in range(1, 5)),
            classes=len(state["fc.weight"]),
            eps=PORTED_EPS if layers[1][0][0] != layers[1][0][1] else 1e-5,
        )

    @classmethod
    def make(cls, classes: int, *, depth: int = 18, width: float = 1.0) -> Self:
        """Of a network to train, in torchvision's form: 64, 128, 256, 512 channels times `width`;
        in between as many as give each pair of convolutions the number of weights that one 3D
        convolution would have [P].
        """
        channels = tuple(max(1, round(full * width)) for full in (64, 128, 256, 512))
        before = (channels[0], *channels[:3])
        middle = [
            27 * first * last // (9 * first + 3 * last) for first, last in zip(before, channels)
        ]
        later = [27 * last // 12 for last in channels]
        blocks = tuple(
            ((middle[layer],) * 2, *((later[layer],) * 2 for _ in range(count - 1)))
            for layer, count in enumerate(LAYERS[depth])
        )
        return cls((max(1, round(45 * width)), channels[0]), blocks, channels, classes)


class Pair(nn.Sequential):
    """Spatial 3x3 convolution, batch norm, ReLU, temporal convolution of 3 frames. `stride` halves
    height, width and time.
    """

    def __init__(self, before: int, after: int, middle: int, stride: int, eps: float):
        super().__init__(
            nn.Conv3d(before, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False),
            nn.BatchNorm3d(middle, eps),
            nn.ReLU(inplace=True),
            nn.Conv3d(middle, after, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False),
        )


class Block(nn.Module):
    """Two pairs and the way around them: (batch, before, time, height, width) -> (batch, after,
    ...), all three halved by `stride`.
    """

    def __init__(self, before: int, after: int, middle: tuple[int, int], stride: int, eps: float):
        super().__init__()
        self.conv1 = nn.Sequential(
            Pair(before, after, middle[0], stride, eps),
            nn.BatchNorm3d(after, eps),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(
            Pair(after, after, middle[1], 1, eps), nn.BatchNorm3d(after, eps)
        )
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv3d(before, after, 1, stride, bias=False), nn.BatchNorm3d(after, eps)
            )

    def forward(self, values: Tensor) -> Tensor:
        """ReLU of the second pair's output plus what goes around; shapes as the class."""
        around = values if self.downsample is None else self.downsample(values)
        return nn.functional.relu(self.conv2(self.conv1(values)) + around)


def _layer(
    before: int, after: int, blocks: tuple[tuple[int, int], ...], stride: int, eps: float
) -> nn.Sequential:
    later = [Block(after, after, middle, 1, eps) for middle in blocks[1:]]
    return nn.Sequential(Block(before, after, blocks[0], stride, eps), *later)


class R2Plus1D(nn.Module):
    """R(2+1)D of any depth and width: 3D convolutions as a spatial one, then a temporal one.

    Its state dict has torchvision's names.

    Parameters
    ----------
    shape : Shape
        Sizes of all layers: `Shape.make` of a network to train, `Shape.read` of stored weights.

    Returns
    -------
    Tensor
        Logits (batch, class) of snippets (batch, 3, time, height, width), normalised by Kinetics'
        mean and deviation; any number of frames. `forward_features` gives the vectors before the
        classifier, 512 long at full width.

    Raises
    ------
    RuntimeError
        The input has not three channels.

    References
    ----------
    Tran et al., A Closer Look at Spatiotemporal Convolutions for Action Recognition, CVPR 2018.
    GESTURES (Pérez-García et al., MICCAI 2021) takes its vectors of seizure videos [T].

    Examples
    --------
    >>> import torch
    >>> from semiology.models.features.r2plus1d import R2Plus1D, Shape
    >>> network = R2Plus1D(Shape.make(2, depth=10, width=0.125)).eval()
    >>> network.forward_features(torch.rand(1, 3, 8, 112, 112)).shape
    torch.Size([1, 64])
    """

    mean, std = KINETICS_MEAN, KINETICS_STD

    def __init__(self, shape: Shape):
        super().__init__()
        middle, first = shape.stem
        self.stem = nn.Sequential(
            *(
                nn.Conv3d(3, middle, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
                nn.BatchNorm3d(middle, shape.eps),
                nn.ReLU(inplace=True),
            ),
            *(
                nn.Conv3d(middle, first, (3, 1, 1), 1, (1, 0, 0), bias=False),
                nn.BatchNorm3d(first, shape.eps),
                nn.ReLU(inplace=True),
            ),
        )
        before, strides = (first, *shape.channels[:3]), (1, 2, 2, 2)
        self.layer1, self.layer2, self.layer3, self.layer4 = map(
            _layer, before, shape.channels, shape.blocks, strides, [shape.eps] * 4
        )
        self.channels = shape.channels[-1]
        self.fc = nn.Linear(self.channels, shape.classes)

    def forward_features(self, values: Tensor) -> Tensor:
        """(batch, channel): the layer before the classifier, the mean over time and image."""
        values = self.stem(values)  # (batch, 64, time, height / 2, width / 2)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            values = layer(values)  # at last (batch, 512, time / 8, height / 16, width / 16)
        return values.mean((2, 3, 4))

    def forward(self, values: Tensor) -> Tensor:
        """Logits (batch, class), from normalised images (batch, 3, time, height, width)."""
        return self.fc(self.forward_features(values))


def initialise(network: R2Plus1D) -> None:
    """He initialisation of the convolutions, small weights of the classifier, from torch's
    generator.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.normal_(network.fc.weight, 0, 0.01)
    nn.init.zeros_(network.fc.bias)


def normalised(snippets: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(batch, time, height, width, 3) 0 to 255 to what a network reads, (batch, 3, time, height,
    width).
    """
    values = snippets.permute(0, 4, 1, 2, 3).float() / 255
    middle, spread = (
        torch.tensor(value, device=values.device).view(1, 3, 1, 1, 1) for value in (mean, std)
    )
    return (values - middle) / spread


class FrameResNet(ResNet):
    """torchvision's ResNet over single frames, and the mean over a snippet: the paper's comparison
    without movement. The authors' code has ResNet-50 and Wide ResNet-50-2 trained on ImageNet [C];
    any other one of torchvision's layout will do.

    Shapes: (batch, 3, time, height, width), normalised by ImageNet's mean and deviation -> logits
    (batch, class), the mean over time.
    """

    mean, std = IMAGENET_MEAN, IMAGENET_STD

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> Self:
        """The network of the sizes that a state dict has, without its weights.

        Raises:
            KeyError: a tensor that the network must have is not there.
        """
        layers = [
            len({name.split(".")[1] for name in state if name.startswith(f"layer{layer}.")})
            for layer in range(1, 5)
        ]
        if "layer1.0.conv3.weight" not in state:
            return cls(BasicBlock, layers, len(state["fc.weight"]))
        wide, each = state["layer1.0.conv2.weight"].shape[:2]
        return cls(
            Bottleneck, layers, len(state["fc.weight"]), groups=wide // each, width_per_group=each
        )

    @property
    def channels(self) -> int:
        """Length of the vector before the classifier."""
        return self.fc.in_features

    def forward_features(self, values: Tensor) -> Tensor:
        """(batch, channel): the layer before the classifier, the mean over frames and image."""
        batch, time = values.shape[0], values.shape[2]
        frames = values.transpose(1, 2).flatten(0, 1)  # (batch * time, 3, height, width)
        frames = self.maxpool(self.relu(self.bn1(self.conv1(frames))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            frames = layer(frames)  # at last (batch * time, channel, height / 32, width / 32)
        return frames.mean((2, 3)).view(batch, time, -1).mean(1)

    def forward(self, values: Tensor) -> Tensor:
        """Logits (batch, class), from normalised images (batch, 3, time, height, width)."""
        return self.fc(self.forward_features(values))
