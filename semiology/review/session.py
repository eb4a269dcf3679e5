"""One rater at work on a cohort: all that the page shows and does, without the page.

An action is checked, appended to the rater's journal, and only then carried out: each file that it
changes is written whole. What a killed process left undone is done by the next one that opens the
journal. One lock for the cohort lets one process and thread act at a time, so that two tabs and two
raters never overwrite each other.
"""

import hashlib
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semiology.data.cohort import Cohort
from semiology.data.corrections import effective
from semiology.data.events import ENDING, Event, EventTable, read_events, read_folder
from semiology.data.store import TRACKS, Store
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
    in_words,
    parse_action,
)
from semiology.review.clips import ClipFiles
from semiology.review.effects import carry_out_on_files, check_on_files, check_unchanged
from semiology.review.journal import Entry, Journal, locked
from semiology.review.marks import Marks
from semiology.review.study import Study
from semiology.review.tables import write_marked, write_rated

FOLDER = "review"  # in the cohort's folder, where no other is given
SHOWN = 100  # last actions of a log
ID = re.compile(r"[!-~]{1,100}")  # of an action; it stands in tables of corrections


class ReadOnly(UserError):
    """The review is open for reading only; the message says why."""


class ReviewSession:
    """A rater's work on a cohort.

    Args:
        cohort_folder: of the cohort.
        store: of `semiology extract`.
        rater: name; a folder is named by it.
        review: folder of all raters' work; by default "review" in the cohort's.
        read_only: show, but change nothing.
        run: of a model, for the page; only whether there is one is known here.
        events: folder of a model's tables of events, `<clip_id>_events.tsv` or
            `<clip_id>/events.tsv`.

    Attributes:
        cohort, store, study, rater: as given.
        files: what is on disk of the clips.
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
        events: str | Path | None = None,
    ):
        try:
            self.rater = portable_name(rater)
        except ValueError as error:
            raise UserError(f"rater: {error}") from error
        self.store, self.run = Store(store), run
        self.cohort = Cohort.read(cohort_folder, check_videos=False)
        self.files = ClipFiles(self.cohort, self.store)
        self.clips = self.files.clips
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
                    begin_folder(folder, below=folder == self.folder)
        self._found = {} if events is None or self.study.blind_to_model else read_folder(events)
        self._guard = threading.RLock()
        self._journal = Journal(self.folder)
        self._marks = Marks(self.rater, self.signs, self.items)
        self._by_id: dict[str, Entry] = {}
        self._answers: dict[str, dict[str, Any]] = {}
        self._up_to_date()

    # What is shown

    def study_facts(self) -> dict[str, Any]:
        """What the page needs to know of the study, the forms and the words."""
        return {
            **self.study.facts(self.cohort),
            "cohort": self.cohort.folder.resolve().name,
            "rater": self.rater,
            "read_only": self.read_only,
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
            self.files.clip(clip_id)
            assessable, reason = self._assessed(clip_id)
            rated = self._rated(clip_id, 1)
            rows = [
                row for part in TRACKS for row in effective(self.files.corrections(clip_id, part))
            ]
            return {
                "patient": self.files.click(clip_id) is not None,
                "assessable": assessable,
                "reason": reason,
                "events": len(self._marks.events(clip_id)),
                "corrections": len(rows),
                "rated": rated,
                "to_rate": len(self.items) - rated,
                "away": len(self.files.away(clip_id)),
            }

    def clip(self, clip_id: str) -> dict[str, Any]:
        """A clip's decisions and its tracked parts: keypoints, lines between them, what was
        corrected; and a number that changes with any of these.
        """
        with self._reading():
            clip = self.files.clip(clip_id)
            assessable, reason = self._assessed(clip_id)
            parts = {}
            for part in TRACKS:
                if (body := self.files.tracked(clip_id, part)) is None:
                    continue
                pairs = {tuple(sorted(pair)) for pair in body.pairs}
                parts[part] = {
                    "keypoints": body.keypoints,
                    "edges": body.edges,
                    "swaps": sorted(pairs),
                    **self.files.corrected(clip_id, part),
                }
            return {
                "clip_id": clip_id,
                "participant_id": clip.participant_id,
                "click": self._click(clip_id),
                "away": self._away(clip_id),
                "assessable": assessable,
                "reason": reason,
                "parts": parts,
                "revision": self.revision(clip_id),
            }

    def revision(self, clip_id: str) -> int:
        """A number that changes when the clip's tracks, corrections or decisions do."""
        with self._reading():
            own = [entry.seq for entry in self._journal.entries if entry.clip_id == clip_id]
            states = self.files.file_states(clip_id)
            click, away = self.files.click(clip_id), self.files.away(clip_id)
            return zlib.crc32(repr((own[-1:], states, click, away)).encode())

    def events(self, clip_id: str) -> dict[str, Any]:
        """The rater's events, those that a model found, and, where the study shows them and one's
        own clip is done, those of others.
        """
        with self._reading():
            self.files.clip(clip_id)
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
            self.files.clip(clip_id)
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
                    "text": in_words(entry.action),
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
        self.files.clip(clip_id)
        if not isinstance(id, str) or not ID.fullmatch(id):
            raise UserError(
                "id: give each action a text of its own, of at most 100 letters, digits and signs"
            )
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
            answer |= {"part": part, **self.files.corrected(entry.clip_id, part)}
        if target.action["do"] in ("away", "back"):
            answer["away"] = self._away(entry.clip_id)
        if target.action["do"] == "patient":
            answer["click"] = self._click(entry.clip_id)
        return answer

    def _click(self, clip_id: str) -> dict[str, float] | None:
        """Where a person pointed at the patient, for the page."""
        click = self.files.click(clip_id)
        return None if click is None else asdict(click)

    def _away(self, clip_id: str) -> list[dict[str, float]]:
        """The stretches without the patient, for the page."""
        return [{"onset": one.onset, "duration": one.duration} for one in self.files.away(clip_id)]

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
        length = self.files.length(clip_id)
        match action:
            case PointAtPatient() | Away() | Back() | Correct() | Swap() | Carry():
                return check_on_files(self.files, clip_id, action, length)
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

    def _check_undo(self, clip_id: str, seq: int) -> None:
        if seq > len(self._journal.entries):
            raise UserError(f"seq: there is no action {seq}")
        target = self._journal.entries[seq - 1]
        if target.clip_id != clip_id or target.action["do"] == "undo":
            raise UserError(f"seq: action {seq} is none that can be taken back in this clip")
        self._marks.check_undo(clip_id, target)
        check_unchanged(self.files, target)

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
        clip_id = entry.clip_id
        if clip_id not in self.clips:  # no longer in the cohort: the journal alone keeps the action
            return
        match target.action["do"]:
            case "event" | "remove_event" | "decide_found":
                write_marked(self._marks, self.folder, clip_id, self.files.length(clip_id))
            case "rate":
                write_rated(self._marks, self.folder, self.clips)
            case _:
                carry_out_on_files(self.files, entry, target)

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

    def _assessed(self, clip_id: str) -> tuple[bool | None, str]:
        """Whether the rater called the clip assessable, None where nothing was, and the reason."""
        return self._marks.value(clip_id, "assess") or (None, "")

    def _rated(self, clip_id: str, reading: int) -> int:
        own = self._marks.ratings(clip_id, reading)
        return sum(name in own for name in self.items)

    def _done(self, clip_id: str, reading: int) -> bool:
        """Whether a reading of a clip is done: every item has a value, or it is not assessable."""
        assessable, _ = self._assessed(clip_id)
        return assessable is False or self._rated(clip_id, reading) == len(self.items)

    def _found_events(self, clip_id: str) -> dict[str, Event]:
        """found_id -> event that a model found."""
        found: EventTable | None = self._found.get(clip_id)
        return {
            hashlib.sha256(
                f"{clip_id} {event.onset:.3f} {event.length:.3f} {event.kind}".encode()
            ).hexdigest()[:16]: event
            for event in (found.events if found else [])
        }

    def _others(self, clip_id: str) -> list[dict[str, Any]]:
        assessed = self._marks.value(clip_id, "assess") is not None
        done = bool(self.items) and self._done(clip_id, 1)  # an empty form says nothing
        if self.study.blind_to_raters or not (assessed or done):
            return []
        others = []
        for path in real_files(self.review, f"*/events/{clip_id}{ENDING}"):
            rater = path.parent.parent.name
            if rater != self.rater:
                others += [{"rater": rater, **_facts(event)} for event in read_events(path).events]
        return others


def _facts(event: Event) -> dict[str, Any]:
    """An event for the page and the journal."""
    return {
        name: getattr(event, name)
        for name in ("onset", "duration", "sign", "level", "side", "body_part", "confidence")
    } | {"comment": event.comment or ""}
