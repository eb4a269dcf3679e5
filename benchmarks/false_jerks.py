"""Jerks found where nobody jerks: real bodies through the default backend; and how small a jerk is
found on those very tracks.

    python benchmarks/false_jerks.py

The videos are public ones of the test data (SEMIOLOGY_TESTDATA, by default ../shared/data): a
dancer with fast arms, a man who walks and leaps, a person in a room by two cameras, a face with
shoulders, a small talking face. Each is extracted once, to runs/false-jerks/. An hour of white
noise follows.

Sensitivity: jerks of known time, joint and size are added to the tracks where the joint is seen,
rising for 50 to 80 ms and returning within 100 to 200 ms, as the phantom's do. Head, hand or foot
goes as a whole. Where the limit lies depends on the tracker's noise and on what the joint does
besides, so it is reported for each video.

The settings were chosen with an eye on these videos, so their figures flatter.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from real_video import TESTDATA
from record import record

from semiology.data.tracks import make_tracks, read_tracks, save_tracks
from semiology.phantom.myoclonus.jerks import FALL, RISE, minimum_jerk
from semiology.severity.jerks import (
    DetectedJerks,
    Jerk,
    JerkSettings,
    MatchedJerks,
    find_jerks,
    match_jerks,
    synchronous,
)
from semiology.severity.jerks.artefacts import reliable_positions
from semiology.severity.kinematics import SEGMENTS
from semiology.tracking.extraction import extract_tracks

RUN = Path("runs/false-jerks")
JUDGED = ("people/dance_720x406.mp4", "people/walking_1768x994.mp4")
BESIDE = (
    "people/room_cam01_portrait.mp4",
    "people/room_cam03_portrait.mp4",
    "faces/WolfgangLanger_Pexels.mp4",
    "faces/carphone_176x144.mp4",
)
AMPLITUDES = (0.02, 0.05, 0.1, 0.2)  # torso lengths
ROUNDS = 10  # times that each video is used, with other jerks
EVERY = 2.0  # s from one jerk of a joint to its next, in the mean
FREE = 0.6  # s before and after the peak in which the joint has to be seen
HOUR = 3600  # s of white noise
# joint -> what goes along with it
MOVED = {"nose": (*SEGMENTS["face"].keypoints, "left_ear", "right_ear")} | {
    f"{side}_{joint}": tuple(f"{side}_{name}" for name in along.split())
    for side in ("left", "right")
    for joint, along in {
        "shoulder": "shoulder",
        "elbow": "elbow wrist pinky index thumb",
        "wrist": "wrist pinky index thumb",
        "hip": "hip",
        "knee": "knee ankle heel foot_index",
        "ankle": "ankle heel foot_index",
    }.items()
}


def main() -> int:
    if not TESTDATA.is_dir():
        print(f"false-jerks: no test data at {TESTDATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    tracks = {name: tracked(name) for name in (*JUDGED, *BESIDE)}
    print(
        f"{'video':<30}{'s':>7}{'usable':>8}{'jerks':>7}{'events':>8}{'a minute':>10}{'noise':>8}"
        f"{'smallest':>10}"
    )
    false = {name: false_events(name, one) for name, one in tracks.items()}
    noise = white_noise()
    print(
        f"{'white noise, 33 joints':<30}{HOUR:>7}{'':>8}{noise['jerks']:>7}{noise['events']:>8}"
        f"{noise['a_minute']:>10.2f}"
    )
    print(
        f"\nsensitivity / precision / F1 of jerks added, by amplitude in torso lengths ({ROUNDS}"
        " rounds)"
    )
    print(f"{'video':<30}{'jerks':>7}" + "".join(f"{amplitude:>22.0%}" for amplitude in AMPLITUDES))
    found = {name: sensitivity(name, one) for name, one in tracks.items()}
    events = sum(false[name]["events"] for name in JUDGED)
    seconds = sum(false[name]["seconds"] for name in JUDGED)
    return record(
        "false-jerks",
        {"settings": str(JerkSettings()), "videos": false, "white_noise": noise, "added": found},
        "at most 1 false event a minute in dance and walking: none in their 23 s",
        events <= seconds / 60,
        headline=(
            f"{events} false events in {seconds:.1f} s, {noise['events']} in an hour of white noise"
        ),
        seed=0,
    )


def tracked(name: str) -> xr.Dataset:
    """The body's tracks by the default backend, made once."""
    path = RUN / f"{Path(name).stem}.nc"
    if not path.is_file():
        save_tracks(extract_tracks(TESTDATA / name)["body"], path)
    return read_tracks(path)


def false_events(name: str, tracks: xr.Dataset) -> dict[str, float]:
    """Jerks and events in a video in which nobody jerks, and how much of it counted."""
    found = find_jerks(tracks)
    seconds = tracks.sizes["time"] / found.fps
    figures = {
        "seconds": seconds,
        "usable": float(np.mean(list(found.usable.values())) / seconds),
        "jerks": len(found.jerks),
        "events": len(synchronous(found.jerks)),
        "a_minute": len(synchronous(found.jerks)) * 60 / seconds,
        "noise": float(
            np.nanmedian(list(found.noise.values()))
        ),  # torso lengths / s^2, of the median joint
        "smallest": float(np.nanmedian(list(found.smallest.values()))),  # torso lengths
    }
    print(
        f"{Path(name).stem:<30}{seconds:>7.1f}{figures['usable']:>8.0%}{figures['jerks']:>7}"
        f"{figures['events']:>8}{figures['a_minute']:>10.2f}{figures['noise']:>8.1f}"
        f"{figures['smallest']:>10.1%}"
    )
    for event in synchronous(found.jerks):
        joints = ", ".join(
            f"{jerk.joint} {jerk.amplitude:.3f} (snr {jerk.snr:.1f})" for jerk in event.jerks
        )
        print(f"    {event.onset:6.2f} s  {joints}")
    return figures


def white_noise() -> dict[str, float]:
    """The same of 33 joints at rest with jitter of 1 % of the torso."""
    rng = np.random.default_rng(0)
    names = sorted({joint for joints in MOVED.values() for joint in joints})
    names += [f"other_{number}" for number in range(33 - len(names))]
    rest = rng.uniform(100, 500, (len(names), 2))
    for joint, at in {
        "left_shoulder": (220, 100),
        "right_shoulder": (180, 100),
        "left_hip": (215, 200),
        "right_hip": (185, 200),
    }.items():
        rest[names.index(joint)] = at
    found = find_jerks(make_tracks(rest + rng.normal(size=(HOUR * 25, len(names), 2)), names, 25.0))
    events = len(synchronous(found.jerks))
    return {"jerks": len(found.jerks), "events": events, "a_minute": events * 60 / HOUR}


def sensitivity(name: str, tracks: xr.Dataset) -> dict[str, dict[str, float]]:
    """Amplitude -> how well jerks of this size, added to the tracks, are found among those joints
    that they were added to.
    """
    figures = {}
    count = 0
    for amplitude in AMPLITUDES:
        total = MatchedJerks([], [], [])
        for seed in range(ROUNDS):
            jerking, truth = with_jerks(tracks, amplitude, np.random.default_rng(seed))
            one = match_jerks(truth, found_in(jerking).jerks)
            total = MatchedJerks(
                total.pairs + one.pairs,
                total.misses + one.misses,
                total.false_alarms + one.false_alarms,
            )
        count = len(total.pairs) + len(total.misses)
        figures[f"{amplitude:g}"] = {
            "jerks": count,
            "sensitivity": total.sensitivity,
            "precision": total.precision,
            "f1": total.f1,
            "amplitude_ratio": (
                float(np.median([found.amplitude / amplitude for _, found in total.pairs]))
                if total.pairs
                else np.nan
            ),
            "peak_error_s": (
                float(np.median([found.peak - true.peak for true, found in total.pairs]))
                if total.pairs
                else np.nan
            ),
        }
    cells = [
        f"{one['sensitivity']:.2f} / {one['precision']:.2f} / {one['f1']:.2f}"
        for one in figures.values()
    ]
    print(f"{Path(name).stem:<30}{count:>7}" + "".join(f"{cell:>22}" for cell in cells))
    return figures


def found_in(tracks: xr.Dataset) -> DetectedJerks:
    return find_jerks(tracks, joints=list(MOVED))


def with_jerks(
    tracks: xr.Dataset, amplitude: float, rng: np.random.Generator
) -> tuple[xr.Dataset, list[Jerk]]:
    """The tracks with jerks of one size and any direction added where the joint is visible, and
    these jerks.
    """
    names, fps = tracks.keypoint.values.tolist(), float(tracks.attrs["fps"])
    seen, torso = reliable_positions(tracks, JerkSettings())
    free = np.isfinite(seen).all(axis=2)
    position = tracks["position"].values.astype(float)  # (time, space, keypoint)
    time, around = tracks["source_time"].values, round(FREE * fps)
    truth = []
    for joint, along in MOVED.items():
        peak = FREE + rng.uniform(0, EVERY)
        while peak < tracks["time"].values[-1] - FREE:
            frame = round(peak * fps)
            if free[frame - around : frame + around + 1, names.index(joint)].all():
                rise, fall, angle = (
                    rng.uniform(*RISE),
                    rng.uniform(*FALL),
                    rng.uniform(0, 2 * np.pi),
                )
                direction = np.array([np.cos(angle), np.sin(angle)])
                course = minimum_jerk((time - peak + rise) / rise) - minimum_jerk(
                    (time - peak) / fall
                )
                moved = [names.index(name) for name in along]
                position[:, :, moved] += (
                    np.nan_to_num(course)[:, None] * direction * amplitude * torso
                )[:, :, None]
                truth.append(
                    Jerk(
                        joint,
                        "",
                        "",
                        peak - rise,
                        peak,
                        rise + fall,
                        amplitude,
                        tuple(direction.tolist()),
                    )
                )
            peak += EVERY * rng.uniform(0.6, 1.4)
    return tracks.assign(position=(tracks["position"].dims, position.astype(np.float32))), truth


if __name__ == "__main__":
    sys.exit(main())
