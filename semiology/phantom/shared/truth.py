"""The truth of a clip: tracks of joints and landmarks, and the facts for its JSON file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from semiology.data.preprocessing import unbroken_runs
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import TRUTH, make_tracks
from semiology.phantom.drawing.clip import Performance, Plan, Subject
from semiology.phantom.drawing.face import expression, landmarks
from semiology.phantom.drawing.filming import FPS
from semiology.phantom.drawing.kinematics import SIDES
from semiology.phantom.drawing.person import draw_person
from semiology.phantom.drawing.raster import Camera

# cosine between a landmark's outward normal and the camera below which it counts as hidden
TURNED_AWAY = 0.15
HIDING = (
    ("elbow", "wrist", 0.036),
    ("wrist", "hand", 0.045),
)  # parts of an arm that hide what is behind: from, to, radius (m)


def body_truth(plan: Plan, performance: Performance) -> xr.Dataset:
    """The `joint_tracks` of the main phase only."""
    return main_phase(plan, joint_tracks(plan.subject, performance, FPS))


def face_truth(plan: Plan, performance: Performance) -> xr.Dataset:
    """The `landmark_tracks` of the main phase only."""
    return main_phase(plan, landmark_tracks(plan.subject, performance, FPS))


def main_phase(plan: Plan, tracks: xr.Dataset) -> xr.Dataset:
    """Tracks of the whole video -> those of the main phase, which begins at 0 s."""
    first = round(plan.lead * FPS)
    phase = tracks.isel(time=slice(first, first + round(plan.duration * FPS)))
    return phase.assign_coords(time=tracks.time.values[: phase.sizes["time"]])


def joint_tracks(subject: Subject, performance: Performance, fps: float) -> xr.Dataset:
    """The eleven joints in px and in metres (camera axes) of the whole video; confidence 0 where
    hidden or out of the image.

    A hidden joint has its true position too.
    """
    names = list(load_skeleton("upper_body_11").joints)
    points = {name: performance.camera.to_camera(performance.figure.joints[name]) for name in names}
    hidden = {
        name: behind_arm(
            performance,
            point,
            skip=name.split("_")[0] if "wrist" in name or "elbow" in name else "",
        )
        for name, point in points.items()
    }
    if subject.room.blanket_top < 0.02:
        for name in ("left_hip", "right_hip", "spine_base"):
            hidden[name] = np.ones_like(hidden[name])
    return container(performance, points, hidden, fps)


def landmark_tracks(subject: Subject, performance: Performance, fps: float) -> xr.Dataset:
    """The 23 landmarks in px and in metres (camera axes) of the whole video; confidence 0 where
    turned away, behind an arm or out of the image.
    """
    names = list(load_skeleton("face_23").joints)
    points = {name: performance.camera.to_camera(performance.landmarks[name]) for name in names}
    middle = performance.camera.to_camera(performance.figure.joints["head"])
    axes = performance.camera.rotation @ performance.figure.head
    half = subject.person.body.head
    hidden = {}
    for name, point in points.items():
        local = np.einsum("tji,tj->ti", axes, point - middle) / half**2
        normal = np.einsum("tij,tj->ti", axes, local)
        cosine = -np.sum(normal * point, -1) / (
            np.linalg.norm(normal, axis=-1) * np.linalg.norm(point, axis=-1)
        )
        hidden[name] = (cosine < TURNED_AWAY) | behind_arm(performance, point)
    return container(performance, points, hidden, fps)


def landmark_displacements(kind: str) -> dict[str, float]:
    """How far an expression moves each landmark of an average face from neutral; landmark -> m."""
    person = draw_person(np.random.default_rng(0))
    average = replace(person, face=dict.fromkeys(person.face, 0.0), brow_thickness=1.0)
    rest, moved = (landmarks(average, expression(name, 0)[None]) for name in ("neutral", kind))
    return {name: float(np.linalg.norm(moved[name] - rest[name])) for name in rest}


def behind_arm(performance: Performance, points: NDArray, skip: str = "") -> NDArray:
    """Whether the patient's forearm or hand stands before `points` (time, 3) m in camera axes; the
    arm of side `skip` does not count.
    """
    parts = [
        (f"{side}_{start}", f"{side}_{stop}", radius)
        for side in SIDES
        if side != skip
        for start, stop, radius in HIDING
    ]
    return behind(performance.camera, performance.figure.joints, parts, points)


def behind(
    camera: Camera,
    joints: Mapping[str, NDArray],
    parts: Iterable[tuple[str, str, float]],
    points: NDArray,
) -> NDArray:
    """Whether one of a body's parts (from joint, to joint, radius in m) stands before `points`
    (time, 3) m in camera axes.
    """
    hidden = np.zeros(len(points), bool)
    ray = points / np.linalg.norm(points, axis=-1, keepdims=True)
    for start, stop, radius in parts:
        a, b = (camera.to_camera(joints[name]) for name in (start, stop))
        for fraction in np.linspace(0, 1, 7):  # spheres along the bone
            centre = a + fraction * (b - a)
            along = np.sum(centre * ray, -1)
            apart = np.linalg.norm(centre - along[:, None] * ray, axis=-1)
            hidden |= (apart < radius) & (along < np.linalg.norm(points, axis=-1) - radius)
    return hidden


def container(
    performance: Performance, points: dict[str, NDArray], hidden: dict[str, NDArray], fps: float
) -> xr.Dataset:
    """Tracks of named points (time, 3) m in camera axes, with confidence 0 where hidden."""
    camera = performance.camera
    position_3d = np.stack(list(points.values()), 1)
    position = camera.to_pixels(position_3d)
    inside = ((position >= 0) & (position < [camera.width, camera.height])).all(-1)
    visible = inside & ~np.stack(list(hidden.values()), 1)
    index = np.arange(len(visible))
    tracks = make_tracks(
        position,
        list(points),
        fps,
        position_3d=position_3d,
        source_time=index / fps,
        source_index=index,
        width=camera.width,
        height=camera.height,
        backend=TRUTH,
    )
    # set here: `make_tracks` would take the places of hidden points away
    return tracks.assign(confidence=(("time", "keypoint"), visible.astype(np.float32)))


def spans(flags: NDArray, times: NDArray) -> list[list[float]]:
    """[start, stop] in seconds of every run of true `flags` (time,)."""
    return [
        [round(float(times[run.start]), 3), round(float(times[run.stop - 1] + 1 / FPS), 3)]
        for run in unbroken_runs(flags)
    ]


def clip_facts(plan: Plan, performance: Performance) -> dict:
    """What a clip contains, for JSON; times in seconds of the main phase."""
    camera = performance.camera
    arm, face = plan.sign_of_arm, plan.sign_of_face
    body = plan.subject.person.body

    def described(episode) -> dict | None:
        if episode is None:
            return None
        return {
            "kind": episode.kind,
            "side": episode.side,
            "start": round(episode.start, 3),
            "stop": round(episode.stop, 3),
            "strength": episode.strength,
        }

    return {
        "rendered": {
            "dystonia": described(arm),
            "emotion": described(face),
            "visits": [described(episode) for episode in plan.arms if not episode.sign],
            "grimaces": [described(episode) for episode in plan.faces if not episode.sign],
        },
        "in_view": {
            "patient": spans(np.ones_like(performance.caregiver_seen), performance.time),
            "caregiver": spans(performance.caregiver_seen, performance.time),
        },
        "main_phase": {"start": plan.lead, "duration": plan.duration, "tail": plan.tail},
        "fps": FPS,
        "light": "infrared" if plan.light.night else "daylight",
        "noise": plan.light.noise,
        "bit_rate": plan.light.bit_rate(plan.subject.view),
        "bandage": plan.subject.person.bandage,
        "bones": {
            name: round(float(getattr(body, name)), 5)
            for name in ("trunk", "shoulder", "hip", "upper_arm", "forearm", "neck")
        },
        "stored": {
            "width": plan.subject.view.stored[0],
            "height": plan.subject.view.stored[1],
            "pixel_aspect": str(plan.subject.view.pixel_aspect),
        },
        "camera": camera.parameters(),
    }
