"""The original 2s-AGCN, written out with its loops and copies: what `step` measures this project's
AGCN against.

Structure, names of the weights and order of operations are those of Shi et al.'s code
(github.com/lshiwjx/2s-AGCN, model/agcn.py), so that its weights, and a checkout's, go into ours
through `into_ours`.
"""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from semiology.models.networks import AGCN


class TimeUnit(nn.Module):
    """Convolution over time, batch norm."""

    def __init__(self, channels: int, width: int, frames: int = 9, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, (frames, 1), (stride, 1), ((frames - 1) // 2, 0))
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class GraphUnit(nn.Module):
    """One subset of the graph after the other: two embeddings, their similarity, mixing,
    projection; channels before time and joint.
    """

    def __init__(self, channels: int, width: int, graph: Tensor):
        super().__init__()
        self.inter, self.A = width // 4, graph
        self.PA = nn.Parameter(torch.full_like(graph, 1e-6))
        self.conv_a = nn.ModuleList(nn.Conv2d(channels, self.inter, 1) for _ in graph)
        self.conv_b = nn.ModuleList(nn.Conv2d(channels, self.inter, 1) for _ in graph)
        self.conv_d = nn.ModuleList(nn.Conv2d(channels, width, 1) for _ in graph)
        self.down = (
            nn.Identity()
            if channels == width
            else nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width))
        )
        self.bn, self.soft, self.relu = nn.BatchNorm2d(width), nn.Softmax(-2), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, time, joints = x.size()
        graph = self.A.to(x.device) + self.PA
        y = None
        for a, b, d, given in zip(self.conv_a, self.conv_b, self.conv_d, graph):
            left = a(x).permute(0, 3, 1, 2).contiguous().view(batch, joints, self.inter * time)
            right = b(x).view(batch, self.inter * time, joints)
            made = self.soft(torch.matmul(left, right) / left.size(-1)) + given
            z = d(
                torch.matmul(x.view(batch, channels * time, joints), made).view(
                    batch, channels, time, joints
                )
            )
            y = z + y if y is not None else z
        y = self.bn(y)
        y += self.down(x)
        return self.relu(y)


class Unit(nn.Module):
    """Graph unit, time unit, residual."""

    def __init__(
        self, channels: int, width: int, graph: Tensor, stride: int = 1, residual: bool = True
    ):
        super().__init__()
        self.gcn1, self.tcn1, self.relu = (
            GraphUnit(channels, width, graph),
            TimeUnit(width, width, stride=stride),
            nn.ReLU(),
        )
        plain = channels == width and stride == 1
        self.residual = (
            (nn.Identity() if plain else TimeUnit(channels, width, 1, stride)) if residual else None
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(
            self.tcn1(self.gcn1(x)) + (0 if self.residual is None else self.residual(x))
        )


class OriginalAGCN(nn.Module):
    """Ten units of the published widths. Shapes: (batch, channel, time, joint, person) -> (batch,
    class).
    """

    def __init__(self, graph: Tensor, classes: int, channels: int = 3):
        super().__init__()
        self.data_bn = nn.BatchNorm1d(channels * graph.shape[1])
        sizes = [
            (channels, 64, 1, False),
            *[(64, 64, 1, True)] * 3,
            (64, 128, 2, True),
            *[(128, 128, 1, True)] * 2,
        ]
        sizes += [(128, 256, 2, True), *[(256, 256, 1, True)] * 2]
        for number, (before, width, stride, residual) in enumerate(sizes, 1):
            setattr(self, f"l{number}", Unit(before, width, graph, stride, residual))
        self.fc = nn.Linear(256, classes)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, time, joints, people = x.size()
        x = self.data_bn(
            x.permute(0, 4, 3, 1, 2).contiguous().view(batch, people * joints * channels, time)
        )
        x = x.view(batch, people, joints, channels, time).permute(0, 1, 3, 4, 2).contiguous()
        x = x.view(batch * people, channels, time, joints)
        for number in range(1, 11):
            x = getattr(self, f"l{number}")(x)
        return self.fc(x.view(batch, people, x.size(1), -1).mean(3).mean(1))


def checkout(folder: Path, graph: Tensor, classes: int) -> nn.Module:
    """The model of an unmodified checkout, over our skeleton; `.cuda(...)` in its text becomes a
    move to the input's device, in memory.
    """
    path = folder / "model" / "agcn.py"
    text = path.read_text(encoding="utf-8").replace(".cuda(x.get_device())", ".to(x.device)")
    sys.path.insert(0, str(folder))  # its graphs import each other by these names
    module = ModuleType("peer_agcn")
    exec(compile(text, str(path), "exec"), module.__dict__)
    ours = ModuleType("peer_graph")
    adjacency = {"A": graph.numpy().astype(np.float64)}
    ours.Graph = lambda: type("Graph", (), adjacency)()  # type: ignore[attr-defined]
    sys.modules["peer_graph"] = ours
    return module.Model(
        num_class=classes, num_point=graph.shape[1], num_person=1, graph="peer_graph.Graph"
    )


def into_ours(original: nn.Module, ours: AGCN) -> None:
    """Copy every weight of the original, or of a checkout, into our network."""
    theirs, state = original.state_dict(), {}

    def norm(name: str, source: str) -> None:
        state.update(
            {
                f"{name}.{part}": theirs[f"{source}.{part}"]
                for part in ("weight", "bias", "running_mean", "running_var")
            }
        )
        state[f"{name}.num_batches_tracked"] = theirs[f"{source}.num_batches_tracked"]

    def conv(name: str, source: str) -> None:
        state.update({f"{name}.{part}": theirs[f"{source}.{part}"] for part in ("weight", "bias")})

    norm("norm", "data_bn")
    conv("head", "fc")
    for number, block in enumerate(ours.blocks):
        own, unit = f"blocks.{number}", f"l{number + 1}"
        graph, subsets = f"{unit}.gcn1", range(3)
        state[f"{own}.graph.fixed"], state[f"{own}.graph.learned"] = (
            block.graph.fixed,
            theirs[f"{graph}.PA"],
        )
        for part in ("weight", "bias"):
            embeds = [
                theirs[f"{graph}.conv_{letter}.{k}.{part}"] for letter in "ab" for k in subsets
            ]
            state[f"{own}.graph.embed.{part}"] = torch.cat(embeds)
        projects = [
            [theirs[f"{graph}.conv_d.{k}.{part}"] for k in subsets] for part in ("weight", "bias")
        ]
        state[f"{own}.graph.project.weight"] = torch.cat(projects[0], dim=1)
        state[f"{own}.graph.project.bias"] = torch.stack(projects[1]).sum(0)
        norm(f"{own}.graph.norm", f"{graph}.bn")
        conv(f"{own}.time", f"{unit}.tcn1.conv")
        norm(f"{own}.norm", f"{unit}.tcn1.bn")
        if f"{graph}.down.0.weight" in theirs:
            conv(f"{own}.graph.residual.0", f"{graph}.down.0")
            norm(f"{own}.graph.residual.1", f"{graph}.down.1")
        if f"{unit}.residual.conv.weight" in theirs:
            conv(f"{own}.residual.0", f"{unit}.residual.conv")
            norm(f"{own}.residual.1", f"{unit}.residual.bn")
    ours.load_state_dict(state)
