"""The 20 untrimmed recordings of UTKinect-Action3D: which of ten actions is when,
leave-one-subject-out, beside a frame-wise random forest.

Time outside every action is the level "none" and counts. Left out of training and score, for all
alike: the stretch of the one action whose start and end the label file gives as NaN (between its
neighbours), and frames in which the sensor lost the body for more than a second.

The forest reads, for each frame, the joints of the same window as the network (mean, spread, least,
greatest and speed of every coordinate, and their course at five moments), in the same body units,
and is trained on every third frame of the same people in the same folds.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from record import TESTDATA, record
from sklearn.ensemble import RandomForestClassifier
from utkinect_cohort import FPS, STEP, read_labels, read_recording

from semiology.cli.timeline import read_localisation
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import make_tracks, save_tracks
from semiology.files import atomic_path
from semiology.models.training.clips import summaries
from semiology.models.training.saved import load_model
from semiology.timeline.events import Event, write_events
from semiology.timeline.localise.evaluate import evaluate_predictions
from semiology.timeline.localise.fold import MODELS
from semiology.timeline.localise.network import (
    embed_recording,
    predict_single_windows,
    predict_windows,
)
from semiology.timeline.localise.recordings import (
    LEFT_OUT,
    Recording,
    by_frame,
    events_file,
    participants,
    read_recordings,
    window_joints,
)
from semiology.timeline.localise.report import table_text
from semiology.timeline.localise.run import kept_path, localise, out_of_fold
from semiology.timeline.localise.settings import Localisation

DATA = TESTDATA / "skeletons" / "utkinect"
EVERY = 3  # frames, of those that the forest learns from
NOT_MARKED = "not_marked"  # an action that was done, nobody knows just when


def make_recordings(data: Path, out: Path) -> None:
    """Write the cohort: every recording whole, as tracks at 15 Hz, and its marked actions."""
    arrays, labels = np.load(data / "joints.npz"), read_labels(data / "actionLabel_modified.txt")
    names, rows = load_skeleton("kinect_20").names, []
    for clip_id in sorted(arrays.files):
        frames, joints = read_recording(arrays[clip_id])
        place = (frames - frames[0]) // STEP  # frames that were not saved stay missing
        position, source = (
            np.full((place[-1] + 1, len(names), 3), np.nan),
            np.full(place[-1] + 1, -1),
        )
        position[place], source[place] = joints, frames
        tracks = make_tracks(
            None, names, FPS / STEP, position_3d=position, backend="kinect", source_index=source
        )
        save_tracks(tracks, out / "tracks" / f"{clip_id}.nc")
        write_events(
            events_file(out, clip_id),
            marked_events([entry[1:] for entry in labels if entry[0] == clip_id], frames[0]),
        )
        rows.append(
            {
                "clip_id": clip_id,
                "participant_id": clip_id[:3],
                "tracks": f"tracks/{clip_id}.nc",
                "start": 0,
                "end": "n/a",
            }
        )
    table = pd.DataFrame(rows)
    table.to_csv(out / "clips.tsv", sep="\t", index=False)
    pd.DataFrame({"participant_id": sorted(table["participant_id"].unique())}).to_csv(
        out / "participants.tsv", sep="\t", index=False
    )
    (out / "clips.json").write_text("{}\n", encoding="utf-8")


def marked_events(entries: list[tuple[str, float, float]], first: int) -> list[Event]:
    """Events from (action, first frame, last frame); an entry of NaN takes the time from the action
    before to the action after.
    """
    events = []
    for number, (action, start, end) in enumerate(entries):
        if np.isnan(start) or np.isnan(end):
            action, start, end = (
                NOT_MARKED,
                entries[number - 1][2] + STEP,
                entries[number + 1][1] - STEP,
            )
        events.append(Event((start - first) / FPS, (end - start + STEP) / FPS, action))
    return events


def forest(settings: Localisation, recordings: list[Recording]) -> dict[str, np.ndarray]:
    """clip_id -> (time, level) probabilities of a random forest that never saw the recording's
    participant; kept in the run's folder.
    """
    kept, found = Path(settings.out) / "forest", {}
    features = {recording.clip_id: frame_features(recording, settings) for recording in recordings}
    for person in participants(recordings):
        own = [recording for recording in recordings if recording.participant_id == person]
        paths = {recording.clip_id: kept / f"{recording.clip_id}.npy" for recording in own}
        if not all(path.is_file() for path in paths.values()):
            rows, truth = [], []
            for recording in recordings:
                if recording.participant_id != person:
                    taken = np.flatnonzero(
                        (recording.truth != LEFT_OUT)
                        & np.isfinite(recording.joints).all(axis=(1, 2))
                    )[::EVERY]
                    rows.append(features[recording.clip_id][taken])
                    truth.append(recording.truth[taken])
            trees = RandomForestClassifier(
                100, random_state=0, min_samples_leaf=2, n_jobs=settings.jobs
            )
            trees.fit(np.concatenate(rows), np.concatenate(truth))
            for clip_id, path in paths.items():
                probabilities = np.zeros((len(features[clip_id]), len(settings.levels)))
                probabilities[:, trees.classes_] = trees.predict_proba(features[clip_id])
                with atomic_path(path) as temporary:
                    np.save(temporary, probabilities)
        found |= {clip_id: np.load(path) for clip_id, path in paths.items()}
    return found


def frame_features(recording: Recording, settings: Localisation) -> np.ndarray:
    """(time, feature) of the window around each frame; a joint that is missing throughout is 0."""
    rows = []
    for window in window_joints(recording.joints, settings.reading.window, 1):
        joints = window.reshape(len(window), -1)
        course = joints[np.linspace(0, len(joints) - 1, 5).round().astype(int)]
        rows.append(
            np.concatenate([*summaries(joints, settings.reading.rate).values(), course.ravel()])
        )
    return np.nan_to_num(np.array(rows, np.float32))


def reordered(recording: Recording, rng: np.random.Generator) -> Recording:
    """The recording with its actions in random order: cut in the middle of the time between
    neighbouring ones, and put together again.
    """
    busy = np.concatenate([[0], recording.truth != 0, [0]]).astype(int)
    starts, ends = np.flatnonzero(np.diff(busy) == 1), np.flatnonzero(np.diff(busy) == -1)
    cuts = (ends[:-1] + starts[1:]) // 2
    pieces = np.split(np.arange(len(recording.truth)), cuts)
    frames = np.concatenate([pieces[place] for place in rng.permutation(len(pieces))])
    return replace(recording, joints=recording.joints[frames], truth=recording.truth[frames])


def accuracy_reordered(settings: Localisation, recordings: list[Recording]) -> dict[str, float]:
    """Model -> accuracy by frame over recordings whose actions come in random order, by the fold's
    own networks.
    """
    rng, right, total = np.random.default_rng(0), dict.fromkeys(MODELS, 0), 0
    for person in participants(recordings):
        network: Any = load_model(kept_path(settings.out, person) / MODELS[1]).network
        for recording in recordings:
            if recording.participant_id == person:
                other = reordered(recording, rng)
                encoder = network.encoder
                embedded = embed_recording(encoder, other, settings)
                windows = (
                    predict_single_windows(encoder, embedded),
                    predict_windows(network, embedded),
                )
                for name, predicted in zip(MODELS, windows):
                    probabilities = by_frame(predicted, len(other.truth), settings.step_frames)
                    counted = (other.truth != LEFT_OUT) & np.isfinite(probabilities).all(axis=1)
                    right[name] += int(
                        (probabilities[counted].argmax(1) == other.truth[counted]).sum()
                    )
                total += int(counted.sum())
    return {name: hits / total for name, hits in right.items()}


def main() -> int:
    if not DATA.is_dir():
        print(f"utkinect-timeline: no data at {DATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    settings = read_localisation(["--config", "configs/utkinect_timeline.yaml"])
    make_recordings(DATA, Path(settings.cohort))
    if localise(settings).failed:
        return 1
    recordings = read_recordings(settings)
    own = out_of_fold(settings, recordings)
    models = {"forest": forest(settings, recordings), **own}
    evaluation = evaluate_predictions(
        recordings,
        models,
        settings.levels,
        settings.reading.rate,
        settings.hysteresis,
        settings.seed,
    )
    evaluation["accuracy_reordered"] = accuracy_reordered(settings, recordings)
    print(table_text(evaluation))
    accuracy = {name: found["frames"]["accuracy"] for name, found in evaluation["models"].items()}
    events = {
        name: found["events"]["f1@0.5"]["value"] for name, found in evaluation["models"].items()
    }
    gain = evaluation["differences"][0]["accuracy"]
    return record(
        "utkinect-timeline",
        evaluation,
        "BLSTM over AGCN windows above the forest in accuracy by frame, interval of the difference"
        " without 0, and in event F1 at IoU 0.5",
        gain["low"] > 0 and events["timeline"] > events["forest"],
        headline=(
            f"LOSO accuracy by frame {accuracy['timeline']['value']:.3f} (AGCN windows + BLSTM),"
            f" {accuracy['windows']['value']:.3f} (windows alone),"
            f" {accuracy['forest']['value']:.3f} (forest), BLSTM - forest {gain['value']:+.3f}"
            f" ({gain['low']:+.3f} to {gain['high']:+.3f}); event F1 {events['timeline']:.3f},"
            f" {events['windows']:.3f}, {events['forest']:.3f}"
        ),
        seed=settings.seed,
    )


if __name__ == "__main__":
    sys.exit(main())
