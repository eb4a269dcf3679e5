"""The summary table of a cohort, as papers print it: participants, how often each sign was scored,
and properties of the videos.
"""

import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tqdm import tqdm

from semiology.data.cohort.cohort import Cohort
from semiology.data.cohort.label import HED_SCORE, Label
from semiology.data.cohort.row import Clip
from semiology.data.rows import check_times
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.video import Reading, Recording, Scan, VideoError, VideoInfo, probe, scan_fields
from semiology.video.image import ratio
from semiology.video.reader import lost_places

OVERRUN = 1.0  # s; a clip that ends later than this after the end of its video is noted
# videos at a time: one waits for the disk while others are decoded; each holds a dozen frames
OPENED = 4
ODD = 10.0  # times as long or as short as the median: tracks that are named [our choice]
NAMED = 6  # clips that are named beside how they were recorded; to_dict has all


@dataclass(frozen=True)
class LabelCount:
    """How often each level of a label was scored. A participant counts for each level that occurs
    in one of their clips.
    """

    clips: dict[str, int]  # level -> clips
    participants: dict[str, int]  # level -> participants
    scored_clips: int
    scored_participants: int
    not_scored: int  # clips


@dataclass(frozen=True)
class CohortReport:
    """Counts of a cohort. `str()` is the printed table, `to_dict()` the same for JSON; `ok` is
    False where a video, or what stands in for it, cannot be opened.
    """

    participants: int
    groups: dict[
        str, dict[str, int]
    ]  # sex, group, centre, as far as given -> value -> participants
    ages: list[float]  # years
    clips: int
    clips_per_participant: list[int]  # of participants with a clip
    labels: dict[str, LabelCount]
    durations: list[float]  # s, of clips whose length is known
    by_header: int  # number of durations taken from a video's header
    resolutions: dict[str, int]  # "width x height" in square px, upright -> clips
    frame_rates: dict[str, int]  # Hz by the times of its first frames, or of tracks -> clips
    containers: dict[str, int]  # -> clips
    # clip_id -> stored size, pixel aspect ratio, codec, rate, fields: as the camera recorded it
    recorded: dict[str, str] = field(default_factory=dict)
    # clip_id -> s and Hz of its own tracks
    tracks: dict[str, tuple[float, float]] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(
        default_factory=dict
    )  # score -> the numbers of the clips that have one
    notes: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(
        default_factory=dict
    )  # clip_id -> why its video, tracks or features cannot be opened

    @property
    def ok(self) -> bool:
        """Whether every video, and what stands in for one, can be opened."""
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """All attributes and `ok`, for JSON."""
        return {**asdict(self), "ok": self.ok}

    def __str__(self) -> str:
        sex = self.groups.get("sex", {})
        people = f"{self.participants}" + (f" ({_counts(sex)})" if sex else "")
        ages = f"; age median {_spread(self.ages)} years" if self.ages else ""
        total = f", total {sum(self.durations) / 60:.1f} min" + (
            f" ({self.by_header} to the end by the header)" if self.by_header else ""
        )
        lines = [
            ("participants", people + ages),
            *((name, _counts(values)) for name, values in self.groups.items() if name != "sex"),
            (
                "clips",
                (
                    f"{self.clips}; per participant median {_spread(self.clips_per_participant)}"
                    if self.clips
                    else "0"
                ),
            ),
            (
                "duration",
                f"median {_spread(self.durations)} s{total}" if self.durations else "not known",
            ),
            ("resolution", _counts(self.resolutions) or "not known"),
            ("frame rate", _counts(self.frame_rates) or "not known"),
            ("container", _counts(self.containers) or "not known"),
        ]
        if self.tracks:
            seconds, rates = zip(*self.tracks.values())
            lines.append(("own tracks", f"median {_spread(seconds)} s, {_spread(rates)} Hz"))
        text = [f"{name:<14}{value}" for name, value in lines]
        if self.recorded:
            text += ["", "recorded as"]
        for kind in _tally(self.recorded.values()):
            named = [clip_id for clip_id, own in self.recorded.items() if own == kind]
            text.append(f"  {kind}: {_first(named)}")
        if self.labels:
            text += ["", f"{'label':<20}{'level':<20}{'clips':>14}{'participants':>16}"]
        for name, count in self.labels.items():
            for position, level in enumerate(count.clips):
                clips = _share(count.clips[level], count.scored_clips)
                participants = _share(count.participants[level], count.scored_participants)
                text.append(
                    f"{name if position == 0 else '':<20}{level:<20}{clips:>14}{participants:>16}"
                )
            if count.not_scored:
                text.append(f"{'':<20}{'not scored':<20}{count.not_scored:>7}       ")
        if self.scores:
            text += ["", f"{'score':<20}{'median':<20}{'clips':>14}"]
        text += [
            f"{name:<20}{_spread(own) if own else 'not scored':<20}"
            f"{_share(len(own), self.clips):>14}"
            for name, own in self.scores.items()
        ]
        text += ["", *(f"note: {note}" for note in self.notes)] if self.notes else []
        if self.failures:
            text += ["", f"videos that cannot be opened ({len(self.failures)}):"]
            text += [f"  {clip_id}: {fault}" for clip_id, fault in self.failures.items()]
        return "\n".join(line.rstrip() for line in text)


def check_cohort(
    folder: str | Path, *, losses: bool = False, progress: bool = False
) -> CohortReport:
    """Read a cohort, open each of its videos, tracks and features once, and count.

    Args:
        folder: of the cohort.
        losses: read each video to its end, for frames that were lost on their way; extraction
            finds them without it.
        progress: show bars, of videos and of own tracks and features.

    Raises:
        CohortError: the tables have faults. A file that cannot be opened does not raise but is
            listed, and `ok` is False.
    """
    cohort = Cohort.read(folder)
    videos, faults = _open(cohort, losses, progress)
    opened = {clip.clip_id: videos[_video(clip)] for clip in cohort.clips if _video(clip) in videos}
    infos = {clip_id: info for clip_id, (info, _, _) in opened.items()}
    of_recordings, about_recordings = _check_recordings(cohort)
    own, own_faults = _own_files(cohort, progress)
    durations, by_header, overruns = [], 0, []
    for clip in cohort.clips:
        header = infos[clip.clip_id].duration if clip.clip_id in infos else None
        known = own[clip.clip_id].duration if clip.clip_id in own else header
        end = known if clip.end is None else clip.end
        if end is not None and end > clip.start:
            durations.append(round(end - clip.start, 3))
            by_header += clip.end is None and clip.clip_id not in own
        if known is not None and max(clip.start, clip.end or 0) > known + OVERRUN:
            what = (
                f"{'tracks' if clip.tracks else 'features'}, which last"
                if clip.clip_id in own
                else "video, which by its header lasts"
            )
            overruns.append(f"{clip.clip_id} runs past the end of its {what} {known:.1f} s")
    overruns += [
        f"{clip_id}: its video holds several video streams; number {info.stream}, is read"
        for clip_id, info in infos.items()
        if info.stream is not None
    ]
    tracks = {
        clip.clip_id: (own[clip.clip_id].duration, own[clip.clip_id].fps)
        for clip in cohort.clips
        if clip.tracks and clip.clip_id in own
    }
    overruns += _aspect_notes(infos) + _loss_notes(cohort, opened) + _odd_tracks(tracks)
    described: list[VideoInfo | _Own] = [*infos.values(), *own.values()]
    per_participant = Counter(clip.participant_id for clip in cohort.clips)
    return CohortReport(
        participants=len(cohort.participants),
        groups=_groups(cohort),
        ages=[
            participant.age for participant in cohort.participants if participant.age is not None
        ],
        clips=len(cohort.clips),
        clips_per_participant=sorted(per_participant.values()),
        labels={
            name: _count(cohort.scored(name), name, label, len(cohort.clips))
            for name, label in cohort.labels.items()
        },
        durations=durations,
        by_header=by_header,
        resolutions=_tally(
            f"{each.width}x{each.height}" for each in described if each.width and each.height
        ),
        frame_rates=_tally(
            "not known" if each.fps is None else f"{each.fps:.5g} Hz" for each in described
        ),
        containers=_tally(each.container for each in described),
        recorded={clip_id: _recorded(info, scan) for clip_id, (info, scan, _) in opened.items()},
        tracks=tracks,
        scores={
            name: [one for clip in cohort.clips if (one := clip.scores[name]) is not None]
            for name in cohort.scores
        },
        notes=cohort.notes + _hed_notes(cohort) + about_recordings + overruns,
        failures={
            clip.clip_id: faults[_video(clip)] for clip in cohort.clips if _video(clip) in faults
        }
        | own_faults
        | of_recordings,
    )


@dataclass(frozen=True)
class _Own:
    """What tracks or features that stand in for a video tell of themselves."""

    duration: float  # s
    fps: float
    container: str  # suffix of the file
    width: int = 0  # px, 0 where not known
    height: int = 0  # px, 0 where not known


def _own_files(cohort: Cohort, progress: bool) -> tuple[dict[str, _Own], dict[str, str]]:
    """What each clip's own tracks or features tell, and why some cannot be used, by clip."""
    known, faults = {}, {}
    own = [
        clip
        for clip in cohort.clips
        if (clip.tracks or clip.features) and not (clip.video or clip.recording)
    ]
    for clip in tqdm(own, "own tracks and features", unit="clip", disable=not (progress and own)):
        path = cohort.folder / (clip.tracks or clip.features)
        try:
            known[clip.clip_id] = _own_tracks(path) if clip.tracks else _own_features(path)
        except (UserError, ValueError) as error:
            faults[clip.clip_id] = str(error).removeprefix(f"{path}: ")
    return known, faults


def _own_tracks(path: Path) -> _Own:
    """What tracks tell.

    Raises:
        UserError: as `read_tracks`.
        ValueError: no times.
    """
    tracks = read_tracks(path)
    if not tracks.sizes["time"]:
        raise ValueError("its tracks have no times")
    fps, last = float(tracks.attrs["fps"]), float(tracks["time"][-1])
    width, height = (int(tracks.attrs.get(name, 0)) for name in ("width", "height"))
    return _Own(last + 1 / fps, fps, path.suffix.lower().lstrip("."), width, height)


def _own_features(path: Path) -> _Own:
    """What features tell.

    Raises:
        ValueError: no such file, or times that are not possible.
    """
    try:
        stored = load_file(path)
        time = np.asarray(stored["time"], float)
        rows = len(stored["features"])
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError("is damaged, or no file of features") from error
    if rows != len(time):
        raise ValueError(f"has {rows} rows of features and {len(time)} times")
    check_times(time, "features")
    step = float(np.median(np.diff(time))) if len(time) > 1 else math.nan
    return _Own(float(time[-1]) + (step if len(time) > 1 else 0), 1 / step, path.suffix[1:])


def _recorded(info: VideoInfo, scan: Scan) -> str:
    """How a video was recorded, in one line."""
    rate = "rate not known" if info.fps is None else f"{info.fps:.5g} Hz"
    size = f"{info.stored_width}x{info.stored_height}"
    return f"{info.codec}, {size} pixels of {ratio(info.pixel_aspect)}, {rate}, {scan}"


def _open(
    cohort: Cohort, losses: bool, progress: bool
) -> tuple[dict[str, tuple[VideoInfo, Scan, list[float]]], dict[str, str]]:
    """Properties, fields and losses of each video and recording, and the faults of those that
    cannot be opened, by name in clips.tsv.
    """
    videos, faults = {}, {}
    sources = {
        _video(clip): (
            cohort.recordings[clip.recording] if clip.recording else cohort.folder / clip.video,
            Reading(clip.pixel_aspect),
        )
        for clip in sorted(cohort.clips, key=_video)
        if _video(clip)
    }
    with ThreadPoolExecutor(OPENED) as pool:
        opened = pool.map(lambda source: _opened(source[0], source[1], losses), sources.values())
        bar = tqdm(opened, "videos", len(sources), unit="video", disable=not (progress and sources))
        for video, found in zip(sources, bar):
            if isinstance(found, str):
                faults[video] = found
            else:
                videos[video] = found
    return videos, faults


def _hed_notes(cohort: Cohort) -> list[str]:
    """A note for each HED tag that HED-SCORE does not know; none where hedtools is not installed.

    The schema is the one that hedtools brings along: nothing is fetched.
    """
    tags = {
        (name, tag)
        for name, label in cohort.labels.items()
        for tag in (label.hed.values() if isinstance(label.hed, dict) else [label.hed])
        if tag
    }
    if not tags or find_spec("hed") is None:
        return []
    from hed import HedString, load_schema

    schema = files("hed") / "schema" / "schema_data" / f"HED_score_{HED_SCORE}.xml"
    if not schema.is_file():
        return [f"HED tags were not checked: hedtools brings no HED-SCORE {HED_SCORE}"]
    loaded = load_schema(str(schema))
    return [
        f"{name}: HED tag {tag!r} is not valid in HED-SCORE {HED_SCORE}: {issues[0]['message']}"
        for name, tag in sorted(tags)
        if (issues := HedString(tag, loaded).validate())
    ]


def _aspect_notes(infos: dict[str, VideoInfo]) -> list[str]:
    """A note for each ratio that stored pixels most likely have, and none is stated."""
    unstated: dict[str, list[str]] = {}
    for clip_id, info in infos.items():
        if info.likely_aspect is not None:
            unstated.setdefault(info.likely_aspect, []).append(clip_id)
    return [
        f"no pixel aspect ratio is stated in {', '.join(clip_ids)}, whose pixels are most likely"
        f" {aspect}: write it into a column pixel_aspect of clips.tsv"
        for aspect, clip_ids in unstated.items()
    ]


def _loss_notes(
    cohort: Cohort, opened: dict[str, tuple[VideoInfo, Scan, list[float]]]
) -> list[str]:
    """A note for each clip from whose video frames were lost on their way."""
    notes = []
    for clip in cohort.clips:
        within = [
            time
            for time in (opened[clip.clip_id][2] if clip.clip_id in opened else [])
            if time < (clip.end or math.inf)
        ]
        if within:
            places = f"{len(within)} places, the last" if len(within) > 1 else "a place,"
            notes.append(
                f"{clip.clip_id}: frames of its video were lost on their way at {places} at"
                f" {within[-1]:.2f} s; what follows is missing up to the next key frame"
            )
    return notes


def _odd_tracks(tracks: dict[str, tuple[float, float]]) -> list[str]:
    """Notes on tracks of another rate than most, and of a length far from the median: a wrong rate
    shows in either.
    """
    if not tracks:
        return []
    (usual, _), *others = Counter(rate for _, rate in tracks.values()).most_common()
    middle = median(seconds for seconds, _ in tracks.values())
    rates = [f"{clip_id} {rate:g} Hz" for clip_id, (_, rate) in tracks.items() if rate != usual]
    lengths = [
        f"{clip_id} {seconds:.4g} s"
        for clip_id, (seconds, _) in tracks.items()
        if not middle / ODD < seconds < middle * ODD
    ]
    notes = []
    if others:
        notes.append(f"most tracks have {usual:g} Hz; others: {_first(rates)}: is that their rate?")
    if lengths:
        notes.append(
            f"half of the tracks last {middle:.4g} s or less; far from that: {_first(lengths)}: is"
            " their rate right, and their part of the recording?"
        )
    return notes


def _first(named: list[str]) -> str:
    """The first `NAMED` of them, and how many more there are."""
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return ", ".join(named[:NAMED]) + more


def _video(clip: Clip) -> str:
    """What clips.tsv names: a video or a recording; "" where neither."""
    return clip.video or (f"recording {clip.recording}" if clip.recording else "")


def _check_recordings(cohort: Cohort) -> tuple[dict[str, str], list[str]]:
    """Recordings with faults, by name, and notes on their gaps and overlaps."""
    failures, notes = {}, []
    for name, recording in cohort.recordings.items():
        faults, found = recording.check()
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            failures[f"recording {name}"] = faults[0] + more
        parts = f"{len(recording.parts)} parts"
        notes.append(f"recording {name}: {'; '.join([parts, *found])}")
    return failures, notes


def _opened(
    path: Path | Recording, reading: Reading, losses: bool
) -> tuple[VideoInfo, Scan, list[float]] | str:
    """Properties and fields of a video, and where frames of it were lost (s), or why it cannot be
    opened. Recordings of many files are not searched for losses, which takes reading them whole.
    """
    try:
        lost = lost_places(path) if losses and isinstance(path, Path) else []
        return probe(path, reading), scan_fields(path), lost
    except VideoError as error:
        return error.fault


def _groups(cohort: Cohort) -> dict[str, dict[str, int]]:
    groups = {"sex": _tally(participant.sex or "n/a" for participant in cohort.participants)}
    for name in ("group", "centre"):
        groups[name] = _tally(
            participant.covariates.get(name) or "n/a" for participant in cohort.participants
        )
    return {name: values for name, values in groups.items() if values.keys() - {"n/a"}}


def _count(scored: list[Clip], name: str, label: Label, clips: int) -> LabelCount:
    return LabelCount(
        clips={level: sum(clip.labels[name] == level for clip in scored) for level in label.levels},
        participants={
            level: len({clip.participant_id for clip in scored if clip.labels[name] == level})
            for level in label.levels
        },
        scored_clips=len(scored),
        scored_participants=len({clip.participant_id for clip in scored}),
        not_scored=clips - len(scored),
    )


def _tally(values: Any) -> dict[str, int]:
    """Value -> count, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _counts(values: dict[str, int]) -> str:
    return ", ".join(f"{value}: {count}" for value, count in values.items())


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.4g} ({min(values):.4g}-{max(values):.4g})"


def _share(count: int, of: int) -> str:
    return f"{count} ({100 * count / of:.0f} %)" if of else "0"
