"""Verbs of signs over time: predict, timeline, clock, localise."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.cli import act, allowing_named, options, parser
from semiology.errors import UserError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from semiology.timeline.localise.settings import Localisation
    from semiology.video import Recording


def run_predict(arguments: list[str]) -> int:
    """Predict each sign's probability over time in one video, and write a copy of it with keypoints
    and probabilities drawn in.
    """
    from semiology.timeline.predict import predict

    predict_parser = parser("predict", run_predict)
    predict_parser.add_argument("video", type=Path, help="the video")
    predict_parser.add_function_arguments(predict, skip={"video"})
    parsed = predict_parser.instantiate_classes(predict_parser.parse_args(arguments))
    with allowing_named(arguments, parsed.pose):
        result = predict(**options(parsed))
    for task, sign in result["signs"].items():
        print(f"{task}: {prediction_text(sign)}")
    print(f"{parsed.out or Path(parsed.video.stem + '_prediction')}: prediction.json, overlay.mp4")
    return 0


def prediction_text(sign: dict[str, Any]) -> str:
    """One sign's probabilities, and whether the model abstains."""
    if sign["probability"] is None:
        return f"not assessable ({sign['not_assessable']})"
    text = ", ".join(f"{level} {value:.2f}" for level, value in sign["probability"].items())
    if sign["plausible"] is None or len(sign["plausible"]) == 1:
        return text
    return f"{text}; abstains: {' and '.join(sign['plausible']) or 'neither class'} plausible"


def run_timeline(arguments: list[str]) -> int:
    """Predict each sign's probability and events through a video of any length, a growing file or a
    camera, in one pass.
    """
    from semiology.timeline.stream import TimelineOptions, timeline

    timeline_parser = parser("timeline", run_timeline)
    timeline_parser.add_argument(
        "source",
        type=str,
        help="a video, a recording of many (FOLDER/recordings.tsv#ID), or a camera's address",
    )
    timeline_parser.add_function_arguments(timeline, skip={"source", "options"})
    timeline_parser.add_class_arguments(TimelineOptions, None)
    parsed = timeline_parser.instantiate_classes(timeline_parser.parse_args(arguments))
    chosen = options(parsed)
    own = {name: chosen.pop(name) for name in TimelineOptions.__dataclass_fields__}
    with allowing_named(arguments, parsed.pose):
        result = timeline(options=TimelineOptions(**own), **chosen)
    print("\n".join(timeline_lines(result)))
    if not result["complete"]:
        print(f"semiology timeline: {result['ended']}", file=sys.stderr)
    return 0 if result["complete"] or result["ended"] == "stopped by the user" else 1


def timeline_lines(result: dict[str, Any]) -> list[str]:
    """Events of each sign, frames, latency."""
    lines = []
    for task, sign in result["signs"].items():
        events = [event for event in result["events"] if event["sign"] == task]
        tuned = "" if sign["tuned"] else " (untuned thresholds)"
        lines.append(f"{task}: {len(events)} events{tuned}")
        lines += [
            f"  {event['onset']:.1f} to {event['onset'] + event['duration']:.1f} s:"
            f" {event['level']}"
            for event in events
        ]
    frames = result["frames"]
    lines.append(
        f"{result['duration_s']:.1f} s of video, {frames['grid']} frames, {frames['missing']}"
        f" missing, {frames['dropped']} dropped"
    )
    if result["latency_s"]:
        latency = result["latency_s"]
        lines.append(
            f"latency: median {latency['median']:.2f} s, 95 % {latency['q95']:.2f} s, largest"
            f" {latency['largest']:.2f} s"
        )
    if result["complete"] and result["ended"]:
        lines.append(f"note: {result['ended']}")
    return lines


def run_clock(arguments: list[str]) -> int:
    """Relate a recording's clock to that of its EEG, and give the times of a table in seconds of
    the EEG or on the wall clock.
    """
    return act("clock", run_clock, CLOCK_ACTIONS, arguments)


def run_clock_fit(arguments: list[str]) -> int:
    """Fit offset and drift of an EEG's clock from marked pairs, and write them into the cohort's
    recordings.json. Without pairs, the offset is that of the files' starts.
    """
    from semiology.data.clock import clock_from_starts, edf_start, fit_clock, write_clock
    from semiology.data.times import read_pairs

    fit_parser = parser("clock fit", run_clock_fit)
    _add_recording(fit_parser)
    fit_parser.add_argument(
        "--pairs",
        type=Path | None,
        default=None,
        help="table (.tsv) of what is seen in both: columns video (s of the recording) and eeg (s"
        " of the EEG file, or a date-time by its clock)",
    )
    fit_parser.add_argument(
        "--eeg", type=Path | None, default=None, help="the EEG (EDF, BDF), for its start"
    )
    parsed = fit_parser.parse_args(arguments)
    recording = _recording(parsed.recording)
    end = recording.duration()
    start = None if parsed.eeg is None else edf_start(parsed.eeg)
    if parsed.pairs is not None:
        clock = fit_clock(read_pairs(parsed.pairs, start))
    elif start is not None:
        clock = clock_from_starts(recording, start)
    else:
        raise UserError("give --pairs, or --eeg where one computer recorded both")
    out = write_clock(Path(parsed.recording.partition("#")[0]).parent, recording.name, clock)
    print(
        f"EEG second = {clock.offset:.3f} + {1 + clock.drift / 1e6:.9f} * second of the recording"
    )
    print(f"drift {clock.drift:.1f} ppm, {len(clock.pairs)} pairs, largest residual", end=" ")
    print(f"{1000 * clock.residual:.0f} ms")
    if end is not None and clock.pairs:
        errors = f"{1000 * clock.error(0):.0f} ms at its start, {1000 * clock.error(end):.0f} ms"
        print(f"standard error {errors} at its end, for marks good to a frame")
    begin = recording.parts[0].start
    outside = [video for video, _ in clock.pairs if video < begin or (end and video > end + 1)]
    if outside:
        print(
            f"note: {len(outside)} of {len(clock.pairs)} marks are not in the recording, the first"
            f" at {outside[0]:g} s; are video and eeg the wrong way round?"
        )
    if not clock.pairs:
        print("note: from the starts alone: drift is taken for 0; mark pairs to check it")
    print(out)
    return 0


def run_clock_convert(arguments: list[str]) -> int:
    """Write a copy of a table of events, a timeline or jerks with its times in seconds of the
    recording or of the EEG file, or with the wall clock beside them.
    """
    from semiology.data.clock import read_clock
    from semiology.data.cohort import Cohort
    from semiology.data.times import convert_file

    convert_parser = parser("clock convert", run_clock_convert)
    convert_parser.add_argument(
        "table", type=Path, help="events.tsv, timeline.csv, timeline.json, a table of jerks"
    )
    _add_recording(convert_parser)
    convert_parser.add_argument(
        "--to",
        choices=["eeg", "recording", "wall"],
        required=True,
        help="eeg: s of the EEG file; recording: s of the recording; wall: also dates, which"
        " identify people",
    )
    convert_parser.add_argument("--out", type=Path, required=True, help="the copy")
    convert_parser.add_argument(
        "--clip",
        type=str | None,
        default=None,
        help="the clip whose times these are, counted from its start; by default they are s of the"
        " recording",
    )
    parsed = convert_parser.parse_args(arguments)
    if parsed.to == "recording" and parsed.clip is None:
        raise UserError("--to recording: times are s of the recording already; give --clip ID")
    table, _, name = parsed.recording.partition("#")
    folder, name = Path(table).parent, name or _recording(parsed.recording).name
    begin = 0.0
    if parsed.clip is not None:
        clips = {clip.clip_id: clip for clip in Cohort.read(folder, check_videos=False).clips}
        if parsed.clip not in clips or clips[parsed.clip].recording != name:
            raise UserError(f"clips.tsv has no clip {parsed.clip!r} of recording {name}")
        begin = clips[parsed.clip].start
    if parsed.to == "eeg":
        clock = read_clock(folder, name)
        count = convert_file(
            parsed.table,
            parsed.out,
            lambda seconds: clock.eeg(begin + seconds),
            "the EEG file's first sample",
        )
    elif parsed.to == "wall":
        recording = _recording(parsed.recording)
        count = convert_file(
            parsed.table,
            parsed.out,
            lambda seconds: recording.wall(begin + seconds),
            "the recording's start",
        )
    else:
        count = convert_file(
            parsed.table, parsed.out, lambda seconds: begin + seconds, "the recording's second 0"
        )
    print(f"{parsed.out}: {count} times, {parsed.to}")
    return 0


CLOCK_ACTIONS = {"fit": run_clock_fit, "convert": run_clock_convert}


def _add_recording(clock_parser: "ArgumentParser") -> None:
    clock_parser.add_argument(
        "--recording",
        type=str,
        required=True,
        help="FOLDER/recordings.tsv#ID; #ID may be left out where the table has one recording",
    )


def _recording(name: str) -> "Recording":
    from semiology.data.cohort import video_source
    from semiology.video import Recording

    recording = video_source(name)
    if not isinstance(recording, Recording):
        raise UserError(f"{name}: is no recording; write FOLDER/recordings.tsv#ID")
    return recording


def run_localise(arguments: list[str]) -> int:
    """Learn when each sign is present from recordings with annotated events, with
    leave-one-subject-out cross-validation.
    """
    from semiology.timeline.localise.report import table_text
    from semiology.timeline.localise.run import localise

    result = localise(read_localisation(arguments))
    for participant, why in result.failed.items():
        print(f"not left out: {participant}: {why}")
    if result.failed:
        return 1
    print(f"{table_text(result.metrics)}\n\nreport: {result.run / 'report.md'}")
    return 0


def read_localisation(arguments: list[str]) -> "Localisation":
    """Settings of `semiology localise` from options and `--config FILE`."""
    from semiology.timeline.localise.settings import Localisation

    localise_parser = parser("localise", run_localise)
    localise_parser.add_class_arguments(Localisation, None)
    parsed = localise_parser.instantiate_classes(localise_parser.parse_args(arguments))
    return Localisation(
        **{name: getattr(parsed, name) for name in Localisation.__dataclass_fields__}
    )
