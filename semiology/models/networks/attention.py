"""Attention to joints, frames and channels (MS-AAGCN).

Source: Shi et al., Skeleton-Based Action Recognition with Multi-Stream Adaptive Graph Convolutional
Networks, IEEE TIP 2020 [P], and its code, lshiwjx/2s-AGCN model/aagcn.py [C].
"""

import torch
from torch import Tensor, nn

FRAMES = 9  # [C] of the convolution that weights frames
SQUEEZE = 2  # [C] channels over hidden units


class JointTimeChannelAttention(nn.Module):
    """Weights joints, then frames, then channels, each between 1 and 2.

        x <- x (1 + s),  s = sigmoid( conv over joints of the mean over frames )
        x <- x (1 + t),  t = sigmoid( conv over frames of the mean over joints )
        x <- x (1 + c),  c = sigmoid( W2 ReLU( W1 mean over frames and joints ) )

    The later means follow from the first multiplications without making their result, so that x is
    read twice and multiplied once by the frames' and joints' weights and once by the channels'.
    The convolution over joints runs along the order in which the skeleton lists them. t and c start
    at 1/2 [C].

    Shapes: (batch, channel, time, joint) both ways.

    Args:
        width: channels.
        joints: of the skeleton.
    """

    def __init__(self, width: int, joints: int):
        super().__init__()
        reach = joints - 1 if joints % 2 == 0 else joints  # [C] all joints, an odd number
        self.joint = nn.Conv1d(width, 1, reach, padding=reach // 2)
        self.frame = nn.Conv1d(width, 1, FRAMES, padding=FRAMES // 2)
        self.squeeze = nn.Linear(width, max(width // SQUEEZE, 1))
        self.excite = nn.Linear(max(width // SQUEEZE, 1), width)
        nn.init.xavier_normal_(self.joint.weight)
        nn.init.zeros_(self.frame.weight)
        nn.init.kaiming_normal_(self.squeeze.weight)
        nn.init.zeros_(self.excite.weight)
        for layer in (self.joint, self.frame, self.squeeze, self.excite):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channel, time, joint) both ways."""
        kind = self.squeeze.weight.dtype  # sums and weights stay in it where x is bfloat16
        joint = 1 + self.joint(x.mean(2, dtype=kind)).sigmoid()  # (batch, 1, joint)
        over_joints = (x @ joint.to(x.dtype).unsqueeze(3)).squeeze(3).to(kind) / x.shape[3]
        frame = 1 + self.frame(over_joints).sigmoid()  # (batch, 1, time)
        mean = (over_joints * frame).mean(2)  # (batch, channel)
        channel = 1 + self.excite(torch.relu(self.squeeze(mean))).sigmoid()
        place = frame.unsqueeze(3) * joint.unsqueeze(2)  # (batch, 1, time, joint)
        return x * place.to(x.dtype) * channel[:, :, None, None].to(x.dtype)
