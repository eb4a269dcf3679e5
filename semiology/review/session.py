"""One rater at work on a cohort: all that the page shows and does, without the page.

An action is checked, appended to the rater's journal, and only then carried out: each file that it
changes is written whole. What a killed process left undone is done by the next one that opens the
journal. One lock for the cohort lets one process and thread act at a time, so that two tabs and two
raters never overwrite each other.
"""

import hashlib
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from semiology.data.cohort import Clip, Cohort
from semiology.data.cohort.out_of_view import (
    TABLE,
    Stretch,
    added,
    read_out_of_view,
    without,
    write_out_of_view,
)
from semiology.data.cohort.row import Click
from semiology.data.cohort.table import Fault, read_table, set_cell
from semiology.data.corrections import (
    CARRIED,
    SWAPPED,
    UNDONE,
    Correction,
    corrections_file,
    effective,
    holding,
    read_corrections,
    write_corrections,
)
from semiology.data.events import ENDING, Event, EventTable, read_events, read_folder
from semiology.data.overlay import whole_skeleton
from semiology.data.skeleton import mirrored_name
from semiology.data.store import TRACKS, Store, clip_tracks
from semiology.errors import UserError
from semiology.files import begin_folder, portable_name, real_files
from semiology.review.actions import (
    Action,
    Away,
    Back,
    Carry,
    Conflict,
    Correct,
    DecideFound,
    PointAtPatient,
    Swap,
    Undo,
    as_json,
    decimal,
    parse_action,
)
from semiology.review.journal import Entry, Journal, locked
from semiology.review.marks import Marks
from semiology.review.study import BODY_PARTS, SCALES, SIDES, Study

FOLDER = "review"  # in the cohort's folder, where no other is given
CLIPS = "clips.tsv"
SHOWN = 100  # last actions of a log
KEPT = 6  # tracks of clips' parts in memory


class ReadOnly(UserError):
    """The review is open for reading only; the message says why."""


@dataclass(frozen=True)
class _Body:
    """What actions need to know of the tracks of a part: without their arrays."""

    keypoints: list[str]
    edges: list[list[str]]
    frames: np.ndarray
    width: int
    height: int
    seconds: float


class ReviewSession:
    """A rater's work on a cohort.

    Args:
        cohort_folder: of the cohort.
        store: of `semiology extract`.
        rater: name; a folder is named by it.
        review: folder of all raters' work; by default "review" in the cohort's.
        read_only: show, but change nothing.
        run, timelines: of a model, for the page; only whether there are any is known here.
        events: folder of a model's tables of events, `<clip_id>_events.tsv` or
            `<clip_id>/events.tsv`.

    Attributes:
        cohort, store, study, rater: as given.
        folder: the rater's.
        read_only: None, or why nothing can be changed.

    Raises:
        UserError: a rater's name that cannot name a folder, a study or journal that cannot be read,
            a folder that cannot be written (unless `read_only`).
    """

    def __init__(
        self,
        cohort_folder: str | Path,
        store: str | Path,
        rater: str,
        review: str | Path | None = None,
        read_only: bool = False,
        run: str | Path | None = None,
        timelines: str | Path | None = None,
        events: str | Path | None = None,
    ):
        try:
            self.rater = portable_name(rater)
        except ValueError as error:
            raise UserError(f"rater: {error}") from error
        self.store, self.run, self.timelines = Store(store), run, timelines
        self.cohort = Cohort.read(cohort_folder, check_videos=False)
        self.clips = {clip.clip_id: clip for clip in self.cohort.clips}
        self.study = Study.read(self.cohort)
        self.signs, self.items = self.study.marked(self.cohort), self.study.form(self.cohort)
        self.review = Path(review) if review is not None else self.cohort.folder / FOLDER
        self.folder = self.review / self.rater
        self.read_only: str | None = None
        if read_only:
            self.read_only = "the review was opened for reading only"
        else:
            for folder in (self.folder, self.cohort.folder, self.store.folder):
                if folder != self.store.folder or folder.is_dir():
                    begin_folder(folder, below=False)
        self._found = {} if events is None or self.study.blind_to_model else read_folder(events)
        self._guard = threading.RLock()
        self._journal = Journal(self.folder)
        self._marks = Marks(self.rater, self.signs, self.items)
        self._by_id: dict[str, Entry] = {}
        self._answers: dict[str, dict[str, Any]] = {}
        self._known: dict[tuple[str, str], tuple[Any, Any]] = {}  # what was read, by its state
        self._up_to_date()

    # What is shown

    def study_facts(self) -> dict[str, Any]:
        """What the page needs to know of the study, the forms and the words."""
        return {
            "cohort": self.cohort.folder.resolve().name,
            "rater": self.rater,
            "blind_to_model": self.study.blind_to_model,
            "blind_to_raters": self.study.blind_to_raters,
            "read_only": self.read_only,
            "labels": {
                name: {
                    "title": label.long_name or name,
                    "description": label.description,
                    "levels": label.levels,
                    "hed": label.hed,
                }
                for name, label in self.cohort.labels.items()
            },
            "scores": {
                name: {
                    "title": score.long_name or name,
                    "min": score.minimum,
                    "max": score.maximum,
                    "step": None,
                    "description": score.description,
                }
                for name, score in self.cohort.scores.items()
            },
            "signs": [sign.model_dump() for sign in self.signs.values()],
            "sides": list(SIDES),
            "body_parts": list(BODY_PARTS),
            "scales": [
                {
                    "name": name,
                    "title": SCALES[name].title,
                    "source": SCALES[name].source,
                    "items": [
                        {
                            "name": item.name,
                            "title": item.title,
                            "min": item.minimum,
                            "max": item.maximum,
                            "step": item.step,
                        }
                        for item in SCALES[name].items
                    ],
                }
                for name in self.study.scales
            ],
            "has_run": self.run is not None and not self.study.blind_to_model,
            "commands": self.commands(),
        }

    def commands(self) -> dict[str, str]:
        """What can be done with the work, as command lines."""
        folder, store = self.cohort.folder, self.store.folder
        return {
            "finetune": f"semiology tracking select {folder} --store {store} --method corrected"
            " --out corrected && semiology tracking finetune corrected --out detectors",
            "agreement": f"semiology agreement {self.review} --item ITEM --out agreement",
            "score": f"semiology events score {self.folder / 'events'} FOUND --out scores",
        }

    def decided(self, clip_id: str) -> dict[str, Any]:
        """What was decided about a clip: by the rater; patient, stretches and corrections by
        anybody.
        """
        with self._reading():
            clip = self._clip(clip_id)
            assessable, reason = self._marks.value(clip_id, "assess") or (None, "")
            rated = self._rated(clip_id, 1)
            rows = [row for part in TRACKS for row in effective(self._corrections(clip_id, part))]
            return {
                "patient": self._click(clip_id) is not None,
                "assessable": assessable,
                "reason": reason,
                "events": len(self._marks.events(clip_id)),
                "corrections": len(rows),
                "rated": rated,
                "to_rate": len(self.items) - rated,
                "away": len(self._away(clip.clip_id)),
            }

    def clip(self, clip_id: str) -> dict[str, Any]:
        """A clip's decisions and its tracked parts: keypoints, lines between them, what was
        corrected; and a number that changes with any of these.
        """
        with self._reading():
            clip = self._clip(clip_id)
            assessable, reason = self._marks.value(clip_id, "assess") or (None, "")
            click = self._click(clip_id)
            parts = {}
            for part in TRACKS:
                if (body := self._body(clip_id, part)) is None:
                    continue
                pairs = {tuple(sorted(pair)) for pair in _pairs(body.keypoints)}
                parts[part] = {
                    "keypoints": body.keypoints,
                    "edges": body.edges,
                    "swaps": sorted(pairs),
                    **self._corrected(clip_id, part),
                }
            return {
                "clip_id": clip_id,
                "participant_id": clip.participant_id,
                "click": None if click is None else asdict(click),
                "away": [
                    {"onset": one.onset, "duration": one.duration, "rater": one.rater}
                    for one in self._away(clip_id)
                ],
                "assessable": assessable,
                "reason": reason,
                "parts": parts,
                "revision": self.revision(clip_id),
            }

    def revision(self, clip_id: str) -> int:
        """A number that changes when the clip's tracks, corrections or decisions do."""
        with self._reading():
            own = [entry.seq for entry in self._journal.entries if entry.clip_id == clip_id]
            tracks = [self._tracks_file(clip_id, part) for part in TRACKS]
            files = [self._corrections_file(clip_id, part) for part in TRACKS]
            states = [_state(path) for path in [*tracks, *files] if path is not None]
            click, away = self._click(clip_id), self._away(clip_id)
            return zlib.crc32(repr((own[-1:], states, click, away)).encode())

    def tracks(self, clip_id: str, part: str) -> xr.Dataset | None:
        """Tracks of a clip's part with corrections, as everybody reads them; None where there are
        none.

        Raises:
            UserError: they cannot be read.
        """
        clip = self._clip(clip_id)
        path = self._tracks_file(clip_id, part)
        if path is None:
            return None
        away = tuple((one.onset, one.duration) for one in self._away(clip_id))
        clip = clip.model_copy(update={"away": away})
        state = (_state(path), _state(self._corrections_file(clip_id, part)), away)
        return self._cached(
            (clip_id, f"tracks {part}"),
            state,
            lambda: clip_tracks(self.cohort.folder, clip, self.store, part),
        )

    def events(self, clip_id: str) -> dict[str, Any]:
        """The rater's events, those that a model found, and, where the study shows them and one's
        own clip is done, those of others.
        """
        with self._reading():
            self._clip(clip_id)
            decisions = {
                key[1]: value for key, value in self._marks.values(clip_id, "found").items()
            }
            found = [
                {"found_id": found_id, **_facts(event), "decision": decisions.get(found_id)}
                for found_id, event in self._found_events(clip_id).items()
            ]
            own = [one.for_page() for one in self._marks.events(clip_id)]
            return {"own": own, "found": found, "others": self._others(clip_id)}

    def ratings(self, clip_id: str, reading: int | None = None) -> dict[str, Any]:
        """Values of one reading of a clip; by default of the one that is due: the second where it
        is asked for and all first ones are done.
        """
        with self._reading():
            self._clip(clip_id)
            if reading is None:
                asked = (clip_id, 2) in self.study.queue(list(self.clips), self.rater)
                firsts = asked and all(self._done(clip, 1) for clip in self.clips)
                reading = 2 if firsts else 1
            rated = self._marks.ratings(clip_id, reading)
            return {"reading": reading, "values": {name: rated.get(name) for name in self.items}}

    def queue(self) -> list[dict[str, Any]]:
        """The clips in the order in which to rate them, first and second readings."""
        with self._reading():
            return [
                {"clip_id": clip_id, "reading": reading, "done": self._done(clip_id, reading)}
                for clip_id, reading in self.study.queue(list(self.clips), self.rater)
            ]

    def log(self, clip_id: str | None = None) -> list[dict[str, Any]]:
        """The rater's own last actions, of a clip or of all, latest first."""
        with self._reading():
            own = [entry for entry in self._journal.entries if clip_id in (None, entry.clip_id)]
            return [
                {
                    "seq": entry.seq,
                    "when": entry.when,
                    "clip_id": entry.clip_id,
                    "text": _in_words(entry),
                    "undoable": self._undoable(entry),
                }
                for entry in own[: -SHOWN - 1 : -1]
            ]

    # What is done

    def act(self, clip_id: str, id: str, action: Any) -> dict[str, Any]:
        """Carry out an action; when this returns, it is in the journal and in its files.

        Args:
            clip_id: of the clip.
            id: by which the action is recognised: the same one again is not done twice, and gives
                the same answer.
            action: a JSON object, see `semiology.review.actions`.

        Returns:
            "seq", its number; "revision", of the event that it changed or else of the clip; and
            what it changed.

        Raises:
            ReadOnly: nothing can be changed.
            Conflict: the thing was changed elsewhere in the meantime; or the id is of another
                action.
            UserError: no such clip, an action that is none or cannot be done, a file that cannot be
                written.
        """
        if self.read_only is not None:
            raise ReadOnly(f"{self.read_only}; nothing was changed")
        self._clip(clip_id)
        if not isinstance(id, str) or not 0 < len(id) <= 100:
            raise UserError("id: give each action a text of its own, of at most 100 characters")
        wanted = parse_action(action)
        with self._guard, locked(self.cohort.folder):
            self._catch_up()
            if (known := self._by_id.get(id)) is not None:
                if (known.clip_id, known.action) != (clip_id, as_json(wanted)):
                    raise Conflict("id: another action has this id; give each its own")
                return self._answer(known)
            context = self._check(clip_id, wanted)
            entry = self._journal.append(
                id=id, rater=self.rater, clip_id=clip_id, action=as_json(wanted), context=context
            )
            self._take(entry)
            self._carry_out(entry)
            self._journal.mark_applied(entry.seq)
            return self._answer(entry)

    def _answer(self, entry: Entry) -> dict[str, Any]:
        answer: dict[str, Any] = {"seq": entry.seq, "revision": self.revision(entry.clip_id)}
        answer |= self._answers[entry.id]
        target = self._target(entry)
        if part := target.action.get("part"):
            answer |= {"part": part, **self._corrected(entry.clip_id, part)}
        if target.action["do"] in ("away", "back"):
            answer["away"] = [
                {"onset": one.onset, "duration": one.duration, "rater": one.rater}
                for one in self._away(entry.clip_id)
            ]
        if target.action["do"] == "patient":
            click = self._click(entry.clip_id)
            answer["click"] = None if click is None else asdict(click)
        return answer

    def _target(self, entry: Entry) -> Entry:
        """The action that an entry takes back, or itself."""
        undo = entry.action["do"] == "undo"
        return self._journal.entries[entry.action["seq"] - 1] if undo else entry

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Others of this process wait; what other processes did is known."""
        with self._guard:
            self._up_to_date()
            yield

    def _up_to_date(self) -> None:
        if self.read_only is not None:
            for entry in self._journal.read(repair=False):
                self._take(entry)
        elif self._journal.changed():
            with locked(self.cohort.folder):
                self._catch_up()

    def _catch_up(self) -> None:
        """Take what other processes added to the journal, and carry out what one that was killed
        did not.
        """
        for entry in self._journal.read(repair=True):
            self._take(entry)
        applied = max(self._journal.applied, 0)
        for entry in self._journal.entries[applied:]:
            if not self._pointed_at_later(entry):
                self._carry_out(entry)
        if len(self._journal.entries) > applied:
            self._journal.mark_applied(len(self._journal.entries))

    def _take(self, entry: Entry) -> None:
        self._by_id[entry.id] = entry
        self._answers[entry.id] = self._marks.take(entry)

    # What an action needs, and whether it can be

    def _check(self, clip_id: str, action: Action) -> dict[str, Any]:
        """The context of an action; see `Entry`.

        Raises:
            UserError: it cannot be done.
        """
        length = self.length(clip_id)
        match action:
            case PointAtPatient():
                body = self._body(clip_id, "body")
                if self._clip(clip_id).tracks:
                    raise UserError(
                        f"clip {clip_id}: has tracks of its own and is not tracked; there is no"
                        " patient to point at"
                    )
                self._check_time(action.time, length)
                self._check_place(action.x, action.y, body)
                return {"before": self._cell(clip_id)}
            case Away() | Back():
                self._check_time(action.onset, length)
                return {"before": [asdict(one) for one in self._away(clip_id)]}
            case Correct() | Swap() | Carry():
                return self._check_correction(clip_id, action)
            case DecideFound():
                found = self._found_events(clip_id).get(action.found_id)
                if found is None:
                    raise UserError(f"found_id: no event {action.found_id!r} was found in the clip")
                self._marks.check_found(clip_id, action, _facts(found), length)
                return {"found": _facts(found)}
            case Undo():
                self._check_undo(clip_id, action.seq)
                return {}
        self._marks.check(clip_id, action, length)
        return {}

    def _check_time(self, time: float, length: float | None) -> None:
        if length is not None and time > length:
            raise UserError(f"time: the clip lasts {length:g} s; {time:g} s is after its end")

    def _check_place(self, x: float, y: float, body: "_Body | None") -> None:
        if body is not None and body.width and (x > body.width or y > body.height):
            raise UserError(
                f"x, y: {x:g}, {y:g} is outside of the frame of {body.width}x{body.height} px"
            )

    def _check_correction(self, clip_id: str, action: Correct | Swap | Carry) -> dict[str, Any]:
        body = self._body(clip_id, action.part)
        if action.part not in TRACKS or body is None:
            raise UserError(f"part: clip {clip_id} has no tracks of {action.part!r}; extract it")
        frames = (
            [point.frame for point in action.points]
            if isinstance(action, Correct)
            else [action.first, action.last]
        )
        for frame in frames:
            if frame not in body.frames:
                raise UserError(
                    f"frame: the tracks do not show frame {frame}; they show"
                    f" {body.frames[0]} to {body.frames[-1]}"
                )
        match action:
            case Correct():
                names = [point.keypoint for point in action.points]
                for point in action.points:
                    if point.visibility and point.x is not None and point.y is not None:
                        self._check_place(point.x, point.y, body)
                places = [(point.frame, point.keypoint) for point in action.points]
                if len(set(places)) < len(places):
                    raise UserError("points: a keypoint has two places in one frame; give one")
                context: dict[str, Any] = {}
            case Swap():
                known = _pairs(body.keypoints)
                pairs = [list(pair) for pair in action.pairs or known if pair[0] < pair[1]]
                if action.pairs is not None:
                    pairs = [list(pair) for pair in action.pairs]
                    if wrong := [pair for pair in pairs if tuple(pair) not in known]:
                        raise UserError(f"pairs: {wrong[0]} are not left and right of one point")
                if not pairs:
                    raise UserError(f"part: the keypoints of {action.part} have no sides to swap")
                names, context = [name for pair in pairs for name in pair], {"pairs": pairs}
            case Carry():
                names = [action.keypoint]
                there = holding(effective(self._corrections(clip_id, action.part)))
                ends = [there.get((frame, action.keypoint)) for frame in frames]
                for frame, end in zip(frames, ends):
                    if end is None or not end.visibility:
                        raise UserError(
                            f"{action.keypoint} was not placed by a person in frame {frame};"
                            " correct it there first"
                        )
                context = {"ends": [[end.x, end.y, end.visibility] for end in ends if end]}
        for name in names:
            if name not in body.keypoints:
                raise UserError(f"keypoint: {name!r} is not tracked; choose one that is")
        if self._clip(clip_id).tracks:
            return context
        self.store.corrections(clip_id, action.part)  # not of another video
        return context | {"video": self.store.video_digits(clip_id)}

    def _check_undo(self, clip_id: str, seq: int) -> None:
        if seq > len(self._journal.entries):
            raise UserError(f"seq: there is no action {seq}")
        target = self._journal.entries[seq - 1]
        if target.clip_id != clip_id or target.action["do"] == "undo":
            raise UserError(f"seq: action {seq} is none that can be taken back in this clip")
        self._marks.check_undo(clip_id, target)
        if target.action["do"] == "patient" and self._cell(clip_id) != _cell_of(target):
            raise Conflict("the patient was pointed at again since; take that back first")
        if target.action["do"] in ("away", "back") and self._away(clip_id) != _away_after(target):
            raise Conflict("the stretches were changed again since; take that back first")

    def _undoable(self, entry: Entry) -> bool:
        if self.read_only is not None:
            return False
        try:
            self._check_undo(entry.clip_id, entry.seq)
        except UserError:
            return False
        return True

    # Files

    def _carry_out(self, entry: Entry) -> None:
        """Write the files that an entry changes; to do it twice changes nothing more."""
        target = self._target(entry)
        undone = target is not entry
        clip_id = entry.clip_id
        match target.action["do"]:
            case "patient":
                value = target.context["before"] if undone else _cell_of(target)
                path = self.cohort.folder / CLIPS
                set_cell(path, ("clip_id", clip_id), "patient", value or "n/a")
            case "away" | "back":
                now = self._away(clip_id)
                new = (
                    [Stretch(**one) for one in target.context["before"]]
                    if undone
                    else _away_after(target, now)
                )
                if new != now:
                    rest = [one for one in self._stretches() if one.clip_id != clip_id]
                    write_out_of_view(self.cohort.folder, sorted_by_clip([*rest, *new], self.clips))
            case "correct" | "swap" | "carry":
                self._write_corrections(entry, target)
            case "event" | "remove_event" | "decide_found":
                self._marks.write_events(self.folder, clip_id, self.length(clip_id))
            case "rate":
                self._marks.write_ratings(self.folder, self.clips)

    def _pointed_at_later(self, entry: Entry) -> bool:
        """Whether an entry, whose effect is missing because its process was killed, points at a
        patient whom another rater pointed at since: that was acknowledged, this was not.
        """
        if entry.action["do"] != "patient":
            return False
        for path in real_files(self.review, "*/journal.jsonl"):
            if path != self._journal.path:
                other = Journal(path.parent)
                if any(
                    one.clip_id == entry.clip_id
                    and one.action["do"] == "patient"
                    and one.when > entry.when
                    for one in other.read(repair=False)
                ):
                    return True
        return False

    def _write_corrections(self, entry: Entry, target: Entry) -> None:
        part = target.action["part"]
        path = self._corrections_file(entry.clip_id, part)
        apart = self.store.folder.resolve() != self.cohort.folder.resolve()
        with locked(self.store.folder) if apart and self.store.folder.is_dir() else nullcontext():
            rows = read_corrections(path)
            origin = _origin(target)
            new = _rows(target, origin)
            if target is not entry:
                new = [_row(entry, origin, new[0].source_index, "", kind=UNDONE)]
            if any(
                (row.who, row.origin, row.kind) == (self.rater, origin, new[0].kind) for row in rows
            ):
                return
            # the latest holds, also where clocks differ
            latest = max([row.when for row in rows] + [new[0].when])
            write_corrections([*rows, *(replace(row, when=latest) for row in new)], path)

    def _clip(self, clip_id: str) -> Clip:
        """The clip.

        Raises:
            UserError: the cohort has no such clip.
        """
        if clip_id not in self.clips:
            raise UserError(f"clip {clip_id!r}: the cohort has no such clip")
        return self.clips[clip_id]

    def _cached(self, key: tuple[str, str], state: Any, read: Any) -> Any:
        """What `read` gives, read again when the state of its files changes."""
        with self._guard:
            if key not in self._known or self._known[key][0] != state:
                self._known[key] = (state, read())
                tracks = [other for other in self._known if other[1].startswith("tracks")]
                for other in tracks[:-KEPT]:
                    del self._known[other]
            return self._known[key][1]

    def _tracks_file(self, clip_id: str, part: str) -> Path | None:
        """The file of a clip's tracks of a part, its own or the store's; None where there is
        none.
        """
        clip = self._clip(clip_id)
        if clip.tracks:
            path = self.cohort.folder / clip.tracks
            return path if part == "body" and path.is_file() else None
        try:
            return self.store.path(clip_id, part)
        except UserError:
            return None

    def _corrections_file(self, clip_id: str, part: str) -> Path:
        clip = self._clip(clip_id)
        if clip.tracks:
            return corrections_file(self.cohort.folder / clip.tracks)
        return self.store.corrections_file(clip_id, part)

    def _corrections(self, clip_id: str, part: str) -> list[Correction]:
        path = self._corrections_file(clip_id, part)
        if (state := _state(path)) is None or (self._clip(clip_id).tracks and part != "body"):
            return []
        return self._cached((clip_id, f"corrections {part}"), state, lambda: read_corrections(path))

    def _corrected(self, clip_id: str, part: str) -> dict[str, Any]:
        """The points that a person placed, and the stretches in which sides were swapped."""
        rows = effective(self._corrections(clip_id, part))
        return {
            "corrected": [[frame, keypoint] for frame, keypoint in sorted(holding(rows))],
            "swapped": [
                [row.source_index, row.last, row.keypoint, row.other]
                for row in rows
                if row.kind == SWAPPED
            ],
        }

    def _body(self, clip_id: str, part: str) -> _Body | None:
        """The facts of a part's tracks; None where there are none."""
        path = self._tracks_file(clip_id, part) if part in TRACKS else None
        if path is None:
            return None

        def read() -> _Body:
            tracks = clip_tracks(self.cohort.folder, self._clip(clip_id), self.store, part)
            names = [str(name) for name in tracks.keypoint.values]
            lines = whole_skeleton(tracks).edges if part != "face" else ()
            shown = np.unique(tracks["source_index"].values)
            return _Body(
                names,
                [list(line) for line in lines],
                shown[shown >= 0],
                int(tracks.attrs.get("width") or 0),
                int(tracks.attrs.get("height") or 0),
                float(tracks.time.values[-1] + 1 / tracks.attrs["fps"]),
            )

        return self._cached((clip_id, f"body {part}"), _state(path), read)

    def length(self, clip_id: str) -> float | None:
        """Of a clip, s: by its end, else by its tracks; None where neither is known."""
        clip = self._clip(clip_id)
        if clip.end is not None:
            return clip.end - clip.start
        body = self._body(clip_id, "body")
        return None if body is None else body.seconds

    def _cells(self) -> dict[str, str]:
        """clip_id -> text of the column `patient` of clips.tsv, "" where there is none."""
        path = self.cohort.folder / CLIPS

        def read() -> dict[str, str]:
            table = read_table(path, ["clip_id"], [], [])
            return {cells["clip_id"]: cells.get("patient", "") for _, cells in table.rows}

        return self._cached(("", CLIPS), _state(path), read)

    def _cell(self, clip_id: str) -> str:
        return self._cells().get(clip_id, "")

    def _click(self, clip_id: str) -> Click | None:
        """Where a person pointed at the patient."""
        text = self._cell(clip_id)
        return Click.parse(text) if text else None

    def _stretches(self) -> list[Stretch]:
        """The stretches of all clips without the patient.

        Raises:
            UserError: the table has faults.
        """
        folder = self.cohort.folder

        def read() -> list[Stretch]:
            faults: list[Fault] = []
            stretches = read_out_of_view(folder, self.cohort.clips, faults, [])
            if faults:
                raise UserError(f"{folder}: {faults[0]}")
            return stretches

        return self._cached(("", TABLE), _state(folder / TABLE), read)

    def _away(self, clip_id: str) -> list[Stretch]:
        return [one for one in self._stretches() if one.clip_id == clip_id]

    def _rated(self, clip_id: str, reading: int) -> int:
        own = self._marks.ratings(clip_id, reading)
        return sum(name in own for name in self.items)

    def _done(self, clip_id: str, reading: int) -> bool:
        """Whether a reading of a clip is done: every item has a value, or it is not assessable."""
        assessable, _ = self._marks.value(clip_id, "assess") or (None, "")
        return assessable is False or self._rated(clip_id, reading) == len(self.items)

    def _found_events(self, clip_id: str) -> dict[str, Event]:
        """found_id -> event that a model found."""
        found: EventTable | None = self._found.get(clip_id)
        return {
            hashlib.sha256(
                f"{clip_id} {event.onset:.3f} {event.duration:.3f} {event.kind}".encode()
            ).hexdigest()[:16]: event
            for event in (found.events if found else [])
        }

    def _others(self, clip_id: str) -> list[dict[str, Any]]:
        assessed = self._marks.value(clip_id, "assess") is not None
        if self.study.blind_to_raters or not (assessed or self._done(clip_id, 1)):
            return []
        others = []
        for path in real_files(self.review, f"*/events/{clip_id}{ENDING}"):
            rater = path.parent.parent.name
            if rater != self.rater:
                others += [{"rater": rater, **_facts(event)} for event in read_events(path).events]
        return others


def sorted_by_clip(stretches: list[Stretch], clips: Mapping[str, Clip]) -> list[Stretch]:
    """The stretches in the order of the clips."""
    places = {clip_id: place for place, clip_id in enumerate(clips)}
    return sorted(stretches, key=lambda one: (places[one.clip_id], one.onset))


def _state(path: Path) -> tuple[int, int, int] | None:
    """By what a file that was written whole is known to be another; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _pairs(keypoints: list[str]) -> list[tuple[str, str]]:
    """(keypoint, its partner on the other side), for those that have one."""
    names = set(keypoints)
    return [
        (name, other)
        for name in keypoints
        if (other := mirrored_name(name)) != name and other in names
    ]


def _facts(event: Event) -> dict[str, Any]:
    """An event for the page and the journal."""
    return {
        name: getattr(event, name)
        for name in ("onset", "duration", "sign", "level", "side", "body_part", "confidence")
    } | {"comment": event.comment or ""}


def _cell_of(entry: Entry) -> str:
    """What pointing at the patient writes into clips.tsv."""
    action = entry.action
    return ",".join(decimal(action[name]) for name in ("time", "x", "y"))


def _away_after(entry: Entry, now: list[Stretch] | None = None) -> list[Stretch]:
    """The clip's stretches after an entry; by default on what it found."""
    action = entry.action
    found = [Stretch(**one) for one in entry.context["before"]] if now is None else now
    onset, duration = round(action["onset"], 3), round(action["duration"], 3)
    if action["do"] == "back":
        rows = without(found, onset, onset + duration)
    else:
        new = Stretch(entry.clip_id, onset, duration, entry.rater, entry.when)
        rows = added(found, new)
    # as the table writes them
    return [
        Stretch(one.clip_id, round(one.onset, 3), round(one.duration, 3), one.rater, one.when)
        for one in rows
    ]


def _origin(entry: Entry) -> str:
    """By which rows of corrections are known as those of an action."""
    return f"{CARRIED if entry.action['do'] == 'carry' else FOLDER} {entry.id}"


def _rows(entry: Entry, origin: str) -> list[Correction]:
    """The rows of an action that corrects."""
    action = entry.action
    match action["do"]:
        case "correct":
            return [
                _row(
                    *(entry, origin, point["frame"], point["keypoint"]),
                    x=point["x"] if point["visibility"] else np.nan,
                    y=point["y"] if point["visibility"] else np.nan,
                    visibility=point["visibility"],
                )
                for point in action["points"]
            ]
        case "swap":
            return [
                _row(
                    entry,
                    origin,
                    action["first"],
                    left,
                    kind=SWAPPED,
                    last=action["last"],
                    other=right,
                )
                for left, right in entry.context["pairs"]
            ]
    first, last = action["first"], action["last"]
    (x0, y0, seen0), (x1, y1, seen1) = entry.context["ends"]
    return [
        _row(
            *(entry, origin, frame, action["keypoint"]),
            x=x0 + (x1 - x0) * (frame - first) / (last - first),
            y=y0 + (y1 - y0) * (frame - first) / (last - first),
            visibility=min(seen0, seen1),
        )
        for frame in range(first + 1, last)
    ]


def _row(
    entry: Entry,
    origin: str,
    frame: int,
    keypoint: str,
    *,
    x: float = np.nan,
    y: float = np.nan,
    visibility: int = 0,
    kind: str = "",
    last: int = -1,
    other: str = "",
) -> Correction:
    video = entry.context.get("video", "")
    return Correction(
        *(frame, keypoint, (), x, y, visibility, entry.rater, entry.when, origin, video),
        *(kind, last, other),
    )


def _in_words(entry: Entry) -> str:
    """An action in a few words."""
    action = entry.action
    match action["do"]:
        case "patient":
            return f"pointed at the patient at {action['time']:.2f} s"
        case "away" | "back" as do:
            words = "out of view" if do == "away" else "in view"
            return f"patient {words} from {action['onset']:.2f} s for {action['duration']:.2f} s"
        case "assess":
            return "assessable" if action["assessable"] else f"not assessable: {action['reason']}"
        case "correct":
            points = action["points"]
            more = f" and {len(points) - 1} more" if len(points) > 1 else ""
            return f"{points[0]['keypoint']} in frame {points[0]['frame']}{more}"
        case "swap":
            return f"left and right swapped, frames {action['first']} to {action['last']}"
        case "carry":
            return f"{action['keypoint']} carried, frames {action['first']} to {action['last']}"
        case "event":
            level = f" {action['level']}" if action["level"] else ""
            return f"{action['sign']}{level} at {action['onset']:.2f} s"
        case "remove_event":
            return "event removed"
        case "decide_found":
            return f"found event {action['decision']}"
        case "rate":
            return f"rated {', '.join(action['values'])}, reading {action['reading']}"
    return f"action {action['seq']} taken back"
