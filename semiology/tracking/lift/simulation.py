"""Training data of the lifter: motion capture (tracks with position_3d) filmed by virtual cameras,
as in a clinic, and tracked with the errors of a 2D tracker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from semiology.data.cohort import Cohort
from semiology.data.preprocessing import coordinates, select
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.files import real_files
from semiology.tracking.lift.network import SKELETON

WIDTH, HEIGHT = 720, 576  # px, of the virtual image
FPS = 25.0  # Hz, of the lifter's input and output; that of extracted tracks [P]
MIN_WHOLE_FRAMES = 10  # frames with all joints that a recording must have [our choice]


HIPS = [SKELETON.names.index(name) for name in ("left_hip", "right_hip")]


_place = {name: number for number, name in enumerate(SKELETON.names)}


# joints that are the mean of tracked joints: neck and spine base
MEANS = {
    SKELETON.names.index(joint): [SKELETON.names.index(name) for name in sources]
    for joint, sources in SKELETON.joints.items()
    if joint not in sources and set(sources) <= set(SKELETON.names)
}


@dataclass(frozen=True)
class Motion:
    """One recording of motion capture.

    Attributes:
        participant_id: of the person.
        joints: (time, 11, 3) m at 25 Hz, x to the right, y down, z away from the sensor; NaN where
            missing.
    """

    participant_id: str
    joints: np.ndarray


def read_motions(inputs: Sequence[str | Path]) -> list[Motion]:
    """Recordings from a cohort's folder (clips.tsv names tracks and participants), from folders of
    .nc files, and from .nc files.

    Outside a cohort every file counts as one participant.

    Raises:
        UserError: nothing to read, tracks without position_3d or without the joints, recordings
            with too few frames that have all joints.
    """
    found: list[tuple[Path, str]] = []
    for path in map(Path, inputs):
        if (path / "clips.tsv").is_file():
            cohort = Cohort.read(path, check_videos=False)
            found += [
                (path / clip.tracks, clip.participant_id) for clip in cohort.clips if clip.tracks
            ]
        elif path.is_dir():
            found += [(file, file.stem) for file in real_files(path, "*.nc")]
        else:
            found.append((path, path.stem))
    if not found:
        raise UserError(
            f"{', '.join(map(str, inputs))}: no tracks there; give .nc files, their folder, or a"
            " cohort whose clips are tracks"
        )
    motions = []
    for file, participant in found:
        try:
            motions.append(as_motion(read_tracks(file), participant))
        except UserError as error:
            message = str(error)
            named = message.startswith(f"{file}: ")
            raise UserError(message if named else f"{file}: {message}") from error
    return motions


def as_motion(tracks: xr.Dataset, participant_id: str) -> Motion:
    """The 11 joints of tracks with position_3d, at 25 Hz.

    Raises:
        UserError: no position_3d, a missing joint, too few frames with all joints.
    """
    joints = coordinates(select(tracks, SKELETON), 3)
    frames = int(np.floor((len(joints) - 1) / tracks.attrs["fps"] * FPS + 1e-6)) + 1
    joints = resample(joints, np.arange(len(joints)) / tracks.attrs["fps"], np.arange(frames) / FPS)
    if (whole := int(np.isfinite(joints).all((1, 2)).sum())) < MIN_WHOLE_FRAMES:
        raise UserError(
            f"{whole} frames at {FPS:g} Hz hold all of the {len(SKELETON.names)} joints in 3D; at"
            f" least {MIN_WHOLE_FRAMES} are needed"
        )
    return Motion(participant_id, joints)


def resample(values: np.ndarray, times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values (time, ...) interpolated linearly at other times.

    Args:
        values: (time, ...).
        times: (time,) s, on a regular ascending grid.
        wanted: (other time,) s.

    Returns:
        (other time, ...), NaN beside a missing value and outside the clip.
    """
    step = times[1] - times[0] if len(times) > 1 else 1.0
    place = (wanted - times[0]) / step
    place = np.where(np.abs(place - np.round(place)) < 1e-6, np.round(place), place)
    inside = (place >= 0) & (place <= len(times) - 1)
    before = np.clip(np.floor(place).astype(int), 0, len(times) - 1)
    after = np.minimum(before + 1, len(times) - 1)
    weight = (place - before).reshape(-1, *[1] * (values.ndim - 1))
    read = np.where(
        weight > 0, (1 - weight) * values[before] + weight * values[after], values[before]
    )
    read[~inside] = np.nan
    return read


@dataclass(frozen=True)
class CameraRange:
    """Ranges from which cameras are sampled uniformly. [our choice]

    The angles are relative to the recorded skeleton: people in front of a sensor, most of them
    upright and facing it. A camera at the foot of the bed sees a lying patient as a camera from
    below sees a standing person: hence the low elevations.

    Attributes:
        azimuth: degrees about the body's vertical, to either side.
        elevation: degrees above the body's horizontal, minimum and maximum.
        roll: degrees about the optical axis, to either side.
        distance: from camera to body, m.
        focal: focal length in heights of the image: 0.9 is a vertical field of view of 58 degrees,
            2.5 of 23.
        aside: distance of the body from the image's centre, in focal lengths: 0.2 is 11 degrees.
    """

    azimuth: float = 60.0
    elevation: tuple[float, float] = (-30.0, 50.0)
    roll: float = 30.0
    distance: tuple[float, float] = (1.5, 5.0)
    focal: tuple[float, float] = (0.9, 2.5)
    aside: float = 0.2

    def sample(self, count: int, generator: torch.Generator) -> "Cameras":
        """A number of random cameras."""

        def between(low: float, high: float, *shape: int) -> Tensor:
            return low + (high - low) * torch.rand(count, *shape, generator=generator)

        turn = [
            between(-self.azimuth, self.azimuth),
            between(*self.elevation),
            between(-self.roll, self.roll),
        ]
        azimuth, elevation, roll = (torch.deg2rad(angle) for angle in turn)
        distance = between(*self.distance)
        place = (
            torch.cat([between(-self.aside, self.aside, 2), torch.ones(count, 1)], dim=1)
            * distance[:, None]
        )
        return Cameras(azimuth, elevation, roll, place, between(*self.focal) * HEIGHT)


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras with square pixels, one a clip; axes x right, y down, z away.

    Attributes:
        azimuth, elevation, roll: (camera,) radians. At azimuth > 0 the body is turned to its own
            right about its vertical, at elevation > 0 the camera looks down on it, at roll > 0 the
            image turns clockwise.
        place: (camera, 3) m, position of the body's middle in the camera's axes.
        focal: (camera,) px.
    """

    azimuth: Tensor
    elevation: Tensor
    roll: Tensor
    place: Tensor
    focal: Tensor

    def __len__(self) -> int:
        return len(self.focal)

    @property
    def rotation(self) -> Tensor:
        """(camera, 3, 3): axes of the recording to axes of the camera, about the vertical first,
        about the optical axis last.
        """
        return _about(2, self.roll) @ _about(0, self.elevation) @ _about(1, self.azimuth)

    def to_camera(self, joints: Tensor) -> Tensor:
        """Joints (camera, time, joint, 3) m about the body's middle, in axes of the recording ->
        the same in the camera's axes.
        """
        return torch.einsum("cij,ctnj->ctni", self.rotation, joints)

    def pixels(self, turned: Tensor) -> Tensor:
        """Joints (camera, time, joint, 3) m in the camera's axes about the body's middle ->
        (camera, time, joint, 2) px.

            x_px = WIDTH / 2 + focal x / z        y_px = HEIGHT / 2 + focal y / z

        Joints nearer than 0.3 m, or behind the camera, are NaN.
        """
        points = turned + self.place[:, None, None]
        depth = points[..., 2:]
        middle = torch.tensor([WIDTH / 2, HEIGHT / 2])
        return torch.where(
            depth > 0.3,
            middle + self.focal[:, None, None, None] * points[..., :2] / depth,
            torch.nan,
        )

    def text(self) -> list[str]:
        """A line of text for each camera."""
        angles = [
            torch.rad2deg(angle).tolist() for angle in (self.azimuth, self.elevation, self.roll)
        ]
        lines = zip(*angles, self.place[:, 2].tolist(), self.focal.tolist())
        return [
            f"azimuth {a:+.0f}, elevation {e:+.0f}, roll {r:+.0f} degrees, {z:.1f} m away, focal"
            f" length {f:.0f} px"
            for a, e, r, z, f in lines
        ]


def _about(axis: int, angle: Tensor) -> Tensor:
    """(camera, 3, 3) rotations about x (0), y (1) or z (2)."""
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, first, first], matrix[:, first, second] = angle.cos(), -angle.sin()
    matrix[:, second, first], matrix[:, second, second] = angle.sin(), angle.cos()
    return matrix


@dataclass(frozen=True)
class TrackerNoise:
    """The errors of a simulated 2D tracker; each clip has its own strengths, sampled uniformly from
    0 to these values. [our choice]

    Attributes:
        jitter: standard deviation of the error that is independent between frames, m at the body's
            distance.
        drift: standard deviation of the slow error, m at the body's distance; a new value every
            `knot` frames, linearly interpolated.
        knot: frames.
        lost: probability of each joint to be lost for some time in a clip.
        covered: probability that the hips are never visible, as under a blanket.
    """

    jitter: float = 0.012
    drift: float = 0.03
    knot: int = 15
    lost: float = 0.1
    covered: float = 0.15

    def track(self, position: Tensor, px_per_metre: Tensor, generator: torch.Generator) -> Tensor:
        """Add the tracker's errors to positions.

        Args:
            position: (clip, time, joint, 2) px.
            px_per_metre: (clip,) scale at the body.
            generator: of the random numbers.

        Returns:
            (clip, time, joint, 2) px, NaN where a joint is lost.
        """
        clips, frames, joints, _ = position.shape
        strength = (
            torch.rand(2, clips, 1, 1, 1, generator=generator) * px_per_metre[:, None, None, None]
        )
        jitter = self.jitter * strength[0] * torch.randn(position.shape, generator=generator)
        wander = torch.randn(clips, joints * 2, max(2, frames // self.knot), generator=generator)
        drift = torch.nn.functional.interpolate(wander, frames, mode="linear", align_corners=True)
        tracked = (
            position
            + jitter
            + self.drift * strength[1] * drift.transpose(1, 2).unflatten(2, (joints, 2))
        )
        start, length = torch.rand(2, clips, 1, joints, generator=generator) * frames
        time = torch.arange(frames)[None, :, None]
        lost = (
            (torch.rand(clips, 1, joints, generator=generator) < self.lost)
            & (time >= start)
            & (time < start + length)
        )
        lost[:, :, HIPS] |= torch.rand(clips, 1, 1, generator=generator) < self.covered
        tracked = torch.where(lost[..., None], torch.nan, tracked)
        for joint, parts in MEANS.items():
            tracked[:, :, joint] = tracked[:, :, parts].mean(2)
        return tracked
