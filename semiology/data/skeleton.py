"""Skeletons: the joints that a model reads, the edges between them, and their left-right partners;
each defined in a few lines of YAML.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from semiology.errors import UserError
from semiology.files import read_yaml

FOLDER = Path(__file__).parent / "skeletons"


@dataclass(frozen=True)
class Skeleton:
    """Joints by name, in order, and the graph over them.

    Attributes:
        name: in configs and reports.
        part: the tracks that it is read from: "body", "face" or "hands".
        joints: joint -> names of the tracked keypoints whose mean it is. If a backend tracks the
            joint under its own name, that keypoint is used.
        edges: (joint, neighbour nearer to the root), so that an edge is a bone and has a direction.
        root: the joint towards which edges point.
        origin: joints whose mean is the origin after normalisation.
        scale: the two joints whose distance is the unit of length after normalisation (torso
            length, distance between the eyes).
    """

    name: str
    part: str
    joints: Mapping[str, tuple[str, ...]]
    edges: tuple[tuple[str, str], ...]
    root: str
    origin: tuple[str, ...]
    scale: tuple[str, str]

    @cached_property
    def names(self) -> list[str]:
        """Names of the joints, in order."""
        return list(self.joints)

    @cached_property
    def edge_index(self) -> np.ndarray:
        """(edge, 2) integer array of joint and inner neighbour: the only place where joints have
        numbers.
        """
        order = {name: number for number, name in enumerate(self.names)}
        return np.array(
            [[order[outer], order[inner]] for outer, inner in self.edges], dtype=np.int64
        ).reshape(-1, 2)

    @cached_property
    def parents(self) -> np.ndarray:
        """(joint,) index of the inner neighbour by the first edge that names the joint; a joint
        without one is its own parent.
        """
        parents = np.arange(len(self.joints))
        for outer, inner in self.edge_index[::-1]:
            parents[outer] = inner
        return parents

    @cached_property
    def mirrored(self) -> np.ndarray:
        """(joint,) index of each joint's partner on the other side (left_... and right_...); its
        own on the midline.
        """
        order = {name: number for number, name in enumerate(self.names)}
        return np.array([order.get(mirrored_name(name), order[name]) for name in self.names])

    def partitions(self) -> np.ndarray:
        """Adjacency by spatial partition, (3, joint, joint): self, inward, outward; each column
        normalised to sum to one.

        A[k, i, j] is the weight of joint i in the aggregated input of joint j in subset k: the
        joint itself, its neighbours nearer to the root, those further out. Source: [C] 2s-AGCN
        graph/tools.py (in-degree normalisation); the edges of the 11 joints by name are from [R].
        """
        count = len(self.joints)
        inward = np.zeros((count, count))
        inward[self.edge_index[:, 1], self.edge_index[:, 0]] = 1
        stack = np.stack([np.eye(count), inward, inward.T])
        degree = stack.sum(axis=1, keepdims=True)
        return (stack / np.where(degree == 0, 1, degree)).astype(np.float32)


def mirrored_name(name: str) -> str:
    """`left_wrist` -> `right_wrist` and back; a name without a side is its own mirror. The side may
    stand anywhere in the name.

    >>> mirrored_name("brow_left_inner")
    'brow_right_inner'
    """
    swap = {"left": "right", "right": "left"}
    return re.sub(r"(?<![a-z])(left|right)(?![a-z])", lambda match: swap[match.group()], name)


def _wrong_form(raw: dict) -> str | None:
    """What has another form in a skeleton's YAML than it needs, or None."""
    if raw["part"] not in ("body", "face", "hands"):
        return f"part: write body, face or hands, not {raw['part']!r}"
    if not isinstance(raw["joints"], dict):
        return "joints: write a list of names, or a mapping from each joint to its keypoints"
    if not all(sources is None or isinstance(sources, list) for sources in raw["joints"].values()):
        return "joints: write each joint's keypoints as a list, such as neck: [left_ear, right_ear]"
    edges = raw["edges"]
    if not isinstance(edges, list) or not all(isinstance(e, list) and len(e) == 2 for e in edges):
        return "edges: write a list of pairs, outer joint first, such as [left_wrist, left_elbow]"
    if not isinstance(raw["root"], str):
        return "root: write the name of one joint"
    if not isinstance(raw["origin"], list) or not raw["origin"]:
        return "origin: write a list of one or more joints"
    if not isinstance(raw["scale"], list) or len(raw["scale"]) != 2:
        return "scale: write a list of two joints, whose distance is the unit"
    return None


def load_skeleton(source: str | Path) -> Skeleton:
    """Read a skeleton by the name of a built-in one (`upper_body_11`, `face_23`, ...) or from a
    YAML file.

    Raises:
        UserError: no such skeleton, an unknown or missing key or part, an edge or origin that names
            a joint that is not there, edges that lead around in a circle.
    """
    if str(source).endswith((".yaml", ".yml")):
        return _read(Path(source), source)
    return _built_in(str(source))


@cache
def _built_in(name: str) -> Skeleton:
    """Read once in a process: to parse its YAML takes 20 ms, and every clip asks."""
    return _read(FOLDER / f"{name}.yaml", name)


def _read(path: Path, source: str | Path) -> Skeleton:
    """The skeleton of a file, which was named as `source`; raises as `load_skeleton`."""
    if not path.is_file():
        raise UserError(
            f"skeleton {source!r}: not found; give the path of a YAML file or one of"
            f" {', '.join(built_in_skeletons())}"
        )
    raw = read_yaml(path, object, what="valid YAML")
    keys = {"name", "part", "joints", "edges", "root", "origin", "scale"}
    if not isinstance(raw, dict) or set(raw) != keys:
        found = set(raw) if isinstance(raw, dict) else set()
        raise UserError(
            f"{path}: needs just the keys {sorted(keys)}; missing {sorted(keys - found)}, unknown"
            f" {sorted(found - keys)}"
        )
    if isinstance(
        raw["joints"], list
    ):  # joints tracked under their own names may be given as a plain list
        raw["joints"] = {joint: [joint] for joint in raw["joints"]}
    if fault := _wrong_form(raw):
        raise UserError(f"{path}: {fault}")
    skeleton = Skeleton(
        name=str(raw["name"]),
        part=str(raw["part"]),
        joints={joint: tuple(sources or [joint]) for joint, sources in raw["joints"].items()},
        edges=tuple((outer, inner) for outer, inner in raw["edges"]),
        root=raw["root"],
        origin=tuple(raw["origin"]),
        scale=(raw["scale"][0], raw["scale"][1]),
    )
    named = [joint for edge in skeleton.edges for joint in edge] + [
        skeleton.root,
        *skeleton.origin,
        *skeleton.scale,
    ]
    if unknown := sorted(set(named) - set(skeleton.joints)):
        raise UserError(
            f"{path}: edges, root, origin or scale name joints that are not listed: {unknown}"
        )
    if circle := _circle(skeleton.edges):
        raise UserError(
            f"{path}: edges: {', '.join(circle)} lead around in a circle; each edge names the outer"
            " joint first and leads towards the root"
        )
    return skeleton


def _circle(edges: Sequence[tuple[str, str]]) -> list[str]:
    """Joints on circles of edges, or between two; empty where every way inwards ends."""
    left = list(edges)
    while left:
        outer, inner = {edge[0] for edge in left}, {edge[1] for edge in left}
        kept = [edge for edge in left if edge[0] in inner and edge[1] in outer]
        if len(kept) == len(left):
            return sorted(outer & inner)
        left = kept
    return []


def built_in_skeletons() -> list[str]:
    """Names of the skeletons in the package, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))
