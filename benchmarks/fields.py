"""Jerks and tremor of the phantom at 50 images a second, interlaced to 25 frames a second, and what
is found in the tracks of the default backend: woven, one frame of two fields, every field a frame,
and the original.

    python benchmarks/fields.py

Jerks: F1 of events by amplitude, as the benchmark of myoclonus counts them. Tremor: an arm that
shakes at a known frequency; the error of the frequency found. Files are MPEG-2 at 720x576, top and
bottom field first. All of it is kept under runs/fields/ and goes on where it was.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import xarray as xr
from jerk_inputs import Input
from myoclonus import added
from record import record

from semiology.data.cohort import Cohort
from semiology.data.tracks import read_tracks, save_tracks
from semiology.phantom import make_myoclonus
from semiology.phantom.drawing.clip import draw_frames, enact
from semiology.phantom.drawing.filming import develop
from semiology.phantom.drawing.motion import rest_actions
from semiology.phantom.myoclonus.exam import task_angles
from semiology.phantom.myoclonus.recipe import MyoclonusRecipe, plan_exam
from semiology.severity.jerks import JerkSettings, read_jerks
from semiology.severity.kinematics import segment_of
from semiology.severity.kinematics.smoothness import rhythm
from semiology.tracking.extraction import ExtractOptions, extract_tracks
from semiology.video import every_frame, write_video

RUN = Path("runs/fields")
AMPLITUDES = (0.02, 0.05)  # torso lengths
SUBJECTS, SECONDS, SEED = 3, 14.0, 700
RATE, WIDTH, HEIGHT = 50.0, 720, 576
BIT_RATE = 8_000_000  # a second
TREMORS = (4.5, 6.0, 8.0, 10.0, 11.5)  # Hz
SHAKE = np.radians(4.0)  # of elbow and forearm
TREMBLES = 8.0  # s
CLOSE = 0.05  # F1 that fields may fall short of the original
READINGS = {  # name -> way to read the interlaced file
    "woven 25": {"fields": "off"},
    "frames 25": {"fields": "auto"},
    "fields 50": {"fields": "both"},
}
ORDERS = {"top first": "tff", "bottom first": "bff"}


def main() -> int:
    """Print F1 and tremor frequencies by reading and record them."""
    figures: dict[str, dict] = {"jerks": {}, "tremor": {}}
    for amplitude in AMPLITUDES:
        cohort = _cohort(amplitude)
        for order in ORDERS:
            found = {name: _f1(cohort, name, order) for name in ("original 50", *READINGS)}
            figures["jerks"][f"{amplitude:g} {order}"] = found
            cells = "".join(f"{name}: {f1:.2f}   " for name, f1 in found.items())
            print(f"jerks of {amplitude:g}, {order}: {cells}", flush=True)
    for hertz in TREMORS:
        found = {name: _tremor(hertz, name) for name in ("original 50", *READINGS)}
        figures["tremor"][f"{hertz:g}"] = found
        cells = "".join(f"{name}: {peak:.2f}   " for name, peak in found.items())
        print(f"tremor of {hertz:g} Hz: {cells}", flush=True)
    missed = [
        name
        for name, found in figures["jerks"].items()
        if found["fields 50"] < found["original 50"] - CLOSE
    ]
    means = {
        name: float(np.mean([found[name] for found in figures["jerks"].values()]))
        for name in ("original 50", *READINGS)
    }
    ahead = means["fields 50"] > means["frames 25"]
    target = f"every field a frame: F1 within {CLOSE:g} of the original, and ahead of 25 Hz"
    return record(
        "fields",
        figures | {"mean_f1": means, "missed": missed},
        target,
        not missed and ahead,
        headline="mean F1 " + ", ".join(f"{name} {f1:.2f}" for name, f1 in means.items()),
        seed=SEED,
    )


def _cohort(amplitude: float) -> Path:
    return make_myoclonus(
        RUN / f"jerks-{amplitude:g}",
        subjects=SUBJECTS,
        visits=1,
        seconds=SECONDS,
        panels=("rest",),
        controls=0.0,
        amplitude=amplitude,
        rate=40.0,
        fps=RATE,
        width=WIDTH,
        height=HEIGHT,
        seed=SEED,
        progress=False,
    )


def _f1(folder: Path, name: str, order: str) -> float:
    """F1 of the jerks found in the tracks of one reading."""
    clips = []
    for clip in Cohort.read(folder).clips:
        tracks = _tracks(folder / clip.video, name, order)
        truth = json.loads((folder / f"truth/{clip.clip_id}.json").read_text())
        named = {(segment_of(jerk["joint"]), round(jerk["peak"], 4)) for jerk in truth["jerks"]}
        carried = read_jerks(folder / f"truth/{clip.clip_id}_jerks.tsv")
        minutes = truth["frames"] / truth["fps"] / 60
        clips.append(Input("rest", tracks, named, carried, minutes))
    return added(clips, JerkSettings().threshold).f1


def _tremor(hertz: float, name: str) -> float:
    """The frequency (Hz) found of a wrist that shakes."""
    path = RUN / f"tremor-{hertz:g}.mp4"
    if not path.is_file():
        write_video(path, _shaking(hertz), RATE)
    tracks = _tracks(path, name, "top first")
    wrist = tracks["position"].sel(keypoint="right_wrist").values
    return rhythm(wrist, float(tracks.attrs["fps"])).frequency


def _shaking(hertz: float) -> Iterator[np.ndarray]:
    """Images of a person at rest whose right arm shakes."""
    recipe = MyoclonusRecipe(
        visits=1,
        seconds=TREMBLES,
        panels=("rest",),
        controls=1.0,
        fps=RATE,
        width=WIDTH,
        height=HEIGHT,
        seed=SEED,
    )
    exam = plan_exam(recipe, 0, 0, "rest")
    exam = replace(exam, jerks=())
    time = np.arange(exam.frames) / exam.fps
    angles, clench = task_angles(exam.task, time)
    for name in ("right_elbow", "right_twist"):
        angles[name] = angles[name] + SHAKE * np.sin(2 * np.pi * hertz * time)
    acted = enact(exam.subject, time, angles, clench, rest_actions(exam.task.rest, time))
    images = draw_frames(exam.subject, exam.light, acted, range(len(time)))
    return develop(images, exam.subject.view, exam.light, np.random.default_rng(exam.noise_seed))


def _tracks(video: Path, name: str, order: str) -> xr.Dataset:
    """Tracks of the body by one reading; kept beside the video."""
    kept = video.with_name(f"{video.stem}-{name}-{order}.nc".replace(" ", "-"))
    if name == "original 50":
        kept, source, options = video.with_suffix(".original.nc"), video, {"fps": RATE}
    else:
        source, options = video.with_name(f"{video.stem}-{ORDERS[order]}.mpg"), READINGS[name]
        if not kept.is_file() and not source.is_file():
            _interlace(source, (frame.image for frame in every_frame(video)), ORDERS[order])
    if not kept.is_file():
        save_tracks(extract_tracks(source, options=ExtractOptions(**options))["body"], kept)
    return read_tracks(kept)


def _interlace(path: Path, images: Iterable[np.ndarray], order: str) -> None:
    """Weave pairs of images into frames of MPEG-2, flagged as interlaced."""
    with av.open(str(path), "w", format="mpeg") as target:
        stream = target.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = BIT_RATE
        stream.options = {"flags": "+ildct+ilme"}
        graph = None
        images = iter(images)
        for number, (first, second) in enumerate(zip(images, images)):
            woven = first.copy()
            # the first field in time holds the even lines where the top field comes first
            woven[1::2] = second[1::2]
            if order == "bff":
                woven = second.copy()
                woven[1::2] = first[1::2]
            frame = av.VideoFrame.from_ndarray(woven, "rgb24")
            frame = frame.reformat(format="yuv422p")  # halving chroma must not mix the fields
            frame.pts, frame.time_base = number, Fraction(1, 25)
            if graph is None:
                graph = av.filter.Graph()
                graph.link_nodes(
                    graph.add_buffer(
                        width=WIDTH, height=HEIGHT, format=frame.format, time_base=Fraction(1, 25)
                    ),
                    graph.add("setfield", order),
                    graph.add("scale", "interl=1"),
                    graph.add("format", "yuv420p"),
                    graph.add("buffersink"),
                ).configure()
            graph.push(frame)
            target.mux(stream.encode(graph.pull()))
        target.mux(stream.encode(None))


if __name__ == "__main__":
    sys.exit(main())
