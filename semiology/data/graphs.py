"""Tracks as graphs of torch-geometric, for its models, batches and explainers."""

import numpy as np
import torch
import xarray as xr
from torch_geometric.data import Data

from semiology.data.preprocessing import coordinates, select
from semiology.data.skeleton import Skeleton


def to_graph(tracks: xr.Dataset, skeleton: Skeleton, dimensions: int = 2) -> Data:
    """The spatio-temporal graph of a clip: a node for each joint in each frame.

    Node number = frame * joints + joint. Edges, both ways: along the bones within a frame, and from
    each joint to itself in the next frame.

    Returns:
        Data with `pos` (node, space), zeros where missing; `mask` (node,) True where tracked;
        `confidence` (node,), NaN without a score; `edge_index` (2, edge); `temporal` (edge,) True
        for edges through time; `frames` and `joints`, the two counts.
    """
    chosen = select(tracks, skeleton)
    position = coordinates(chosen, dimensions)  # (time, joint, space)
    frames, joints = position.shape[:2]
    seen = np.isfinite(position).all(axis=2)
    starts = np.arange(frames)[:, None, None] * joints
    bones = (starts + skeleton.edge_index[None]).reshape(-1, 2)
    nodes = np.arange(frames * joints).reshape(frames, joints)
    steps = np.stack([nodes[:-1].ravel(), nodes[1:].ravel()], axis=1)
    edges = np.concatenate([bones, bones[:, ::-1], steps, steps[:, ::-1]])
    return Data(
        pos=torch.from_numpy(
            np.where(seen[..., None], position, 0)
            .reshape(frames * joints, dimensions)
            .astype(np.float32)
        ),
        mask=torch.from_numpy(seen.ravel()),
        confidence=torch.from_numpy(chosen["confidence"].values.astype(np.float32).ravel()),
        edge_index=torch.from_numpy(edges.T.copy()),
        temporal=torch.arange(len(edges)) >= 2 * len(bones),
        frames=frames,
        joints=joints,
    )
