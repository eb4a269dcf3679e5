"""A cohort: participants, clips and labels, joined and checked as a whole."""

import difflib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from semiology.data.cohort.label import FIXED_COLUMNS, Columns, Label, Score, read_columns
from semiology.data.cohort.out_of_view import clip_lengths, read_out_of_view
from semiology.data.cohort.recordings import TABLE, read_recordings
from semiology.data.cohort.row import Clip, Participant, on_disk, relative_path
from semiology.data.cohort.table import Fault, Table, read_table
from semiology.errors import UserError
from semiology.video import Recording

Row = TypeVar("Row", Participant, Clip)
# unknown participants for whom a similar name is suggested: for many it would take minutes
HINTED = 20


ALIKE = (
    5  # faults of one kind in one column that are listed one by one; of more the first [our choice]
)


class CohortError(UserError):
    """All faults of a cohort, a line each: file, row, column, what is wrong, what to do. Of many of
    one kind, which differ in rows and quoted values only, the first and their number.
    """

    def __init__(self, folder: Path, faults: list[Fault]):
        super().__init__(folder, faults)
        self.faults = faults

    def __str__(self) -> str:
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        kinds: dict[tuple[str, str | None, str], list[Fault]] = {}
        for fault in self.faults:
            kind = re.sub(r"'[^']*'", "''", fault.what)
            kinds.setdefault((fault.file, fault.column, kind), []).append(fault)
        lines = []
        for faults in kinds.values():
            if len(faults) > ALIKE:
                lines.append(f"{faults[0]} (and {len(faults) - 1:,} more like this)")
            else:
                lines += map(str, faults)
        return "\n".join(
            [f"{self.args[0]}: the cohort has {count}", *(f"  {one}" for one in lines)]
        )


@dataclass(frozen=True)
class Cohort:
    """Participants, clips, labels and scores of a folder, read by `Cohort.read` and validated.

    Attributes
    ----------
    folder : Path
        Where participants.tsv, clips.tsv and clips.json are (docs/cohort.md).
    participants, clips : list
        A row of each table, with its covariates.
    labels, scores : dict
        Column of clips.tsv -> its definition in clips.json: classes, or a range of numbers.
    notes : list of str
        What is allowed but worth knowing.
    visits : list of str
        Of the column `visit`, first to last.
    recordings : dict
        recording_id -> its files, where the folder has recordings.tsv (docs/recordings.md); empty
        where videos were not checked.

    Examples
    --------
    >>> cohort = semiology.Cohort.read("my_cohort")
    >>> len(cohort.participants), len(cohort.clips), list(cohort.labels)
    (6, 12, ['dystonia', 'side'])
    """

    folder: Path
    participants: list[Participant]
    clips: list[Clip]
    labels: dict[str, Label]
    notes: list[str] = field(default_factory=list)
    scores: dict[str, Score] = field(default_factory=dict)
    visits: list[str] = field(default_factory=list)
    recordings: dict[str, Recording] = field(default_factory=dict)

    @property
    def groups(self) -> dict[str, str]:
        """participant_id -> group, "" where participants.tsv gives none."""
        return {
            person.participant_id: person.covariates.get("group", "")
            for person in self.participants
        }

    @classmethod
    def read(cls, folder: str | Path, check_videos: bool = True) -> "Cohort":
        """Read participants.tsv, clips.tsv and clips.json.

        Parameters
        ----------
        folder : path
            Of the cohort.
        check_videos : bool
            Whether the files that clips.tsv and recordings.tsv name must exist; they are not opened
            (`check_cohort` does).

        Raises
        ------
        UserError
            No such folder; as CohortError with all faults of the three files.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such folder; name the one that holds clips.tsv")
        faults: list[Fault] = []
        notes: list[str] = []
        participant_table = read_table(
            folder / "participants.tsv", ["participant_id"], faults, notes
        )
        clip_table = read_table(
            folder / "clips.tsv", ["clip_id", "participant_id", "start", "end"], faults, notes
        )
        if clip_table.columns and not {"video", "recording", "tracks", "features"} & set(
            clip_table.columns
        ):
            faults.append(
                Fault(
                    clip_table.file,
                    "this column is missing; add it (or tracks, for keypoints brought along)",
                    1,
                    "video",
                )
            )
        columns = read_columns(folder / "clips.json", clip_table.columns, faults)
        participants = _participants(participant_table, faults)
        clips = _clips(
            clip_table,
            columns,
            {row["participant_id"] for _, row in participant_table.rows if "participant_id" in row},
            faults,
        )
        clips = [_as_on_disk(folder, clip) for clip in clips]
        away: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for one in read_out_of_view(folder, clip_lengths(clips), faults, notes):
            away[one.clip_id].append((one.onset, one.duration))
        clips = [
            clip.model_copy(update={"away": tuple(sorted(away[clip.clip_id]))})
            if clip.clip_id in away
            else clip
            for clip in clips
        ]
        recordings = read_recordings(folder, faults, notes) if check_videos else {}
        if check_videos:
            _check_recordings(clip_table, recordings, faults)
            _check_files(folder, clip_table, faults)
        if faults:
            raise CohortError(
                folder, sorted(faults, key=lambda fault: (fault.file, fault.row or 0))
            )
        visits = list(columns.visits) or sorted(
            {clip.covariates["visit"] for clip in clips if clip.covariates.get("visit")}
        )
        notes += [*columns.notes, *_notes(participants, clips, columns)]
        return cls(
            *(folder, participants, clips, columns.labels, notes, columns.scores, visits),
            recordings,
        )

    def only(self, clip_ids: Sequence[str]) -> "Cohort":
        """The cohort with these clips alone, in the cohort's order; its participants stay.

        Raises:
            UserError: there is no such clip.
        """
        known = [clip.clip_id for clip in self.clips]
        if unknown := [clip_id for clip_id in clip_ids if clip_id not in known]:
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"is {near[0]!r} meant?" if near else "clips.tsv lists its clips"
            raise UserError(f"{self.folder}: there is no clip {unknown[0]!r}; {hint}")
        wanted = set(clip_ids)
        return replace(self, clips=[clip for clip in self.clips if clip.clip_id in wanted])

    def scored(self, label: str) -> list[Clip]:
        """The clips with a score for `label`, binary or categorical.

        Raises:
            UserError: the cohort has no such label.
        """
        if label not in self.labels:
            raise UserError(
                f"{self.folder}: there is no label {label!r}; its labels are"
                f" {', '.join(self.labels) or 'none'}"
            )
        return [clip for clip in self.clips if clip.labels[label] is not None]


def _participants(table: Table, faults: list[Fault]) -> list[Participant]:
    _check_unique(table, "participant_id", faults)
    participants = []
    for number, row in table.rows:
        own: dict[str, Any] = {
            name: row[name] for name in ("participant_id", "sex", "age") if name in row
        }
        covariates = {name: cell for name, cell in row.items() if name not in own}
        participants += _validated(
            Participant, {**own, "covariates": covariates}, table.file, number, faults
        )
    return participants


def _clips(table: Table, columns: Columns, known: set[str], faults: list[Fault]) -> list[Clip]:
    labels = columns.labels
    _check_unique(table, "clip_id", faults)
    clips = []
    hints: dict[str, str] = {}
    for number, row in table.rows:
        for name in labels.keys() & row.keys():
            if row[name] and row[name] not in labels[name].levels:
                what = (
                    f"unknown level {row[name]!r}; its levels are {', '.join(labels[name].levels)};"
                    " n/a = not scored"
                )
                faults.append(Fault(table.file, what, number, name))
        if columns.visits and row.get("visit") and row["visit"] not in columns.visits:
            what = (
                f"unknown visit {row['visit']!r}; clips.json gives the order of"
                f" {', '.join(columns.visits)}"
            )
            faults.append(Fault(table.file, what, number, "visit"))
        who = row.get("participant_id", "")
        if who and known and who not in known:
            if who not in hints:
                hints[who] = _hint(who, known) if len(hints) < HINTED else "add a row there"
            faults.append(
                Fault(
                    table.file,
                    f"participant {who!r} is not in participants.tsv; {hints[who]}",
                    number,
                    "participant_id",
                )
            )
        values: dict[str, Any] = {name: cell for name, cell in row.items() if name in FIXED_COLUMNS}
        values["labels"] = {name: row.get(name) or None for name in labels}
        values["scores"] = _scores(columns.scores, table.file, number, row, faults)
        values["covariates"] = {
            name: cell
            for name, cell in row.items()
            if name not in {*FIXED_COLUMNS, *labels, *columns.scores}
        }
        clips += _validated(Clip, values, table.file, number, faults)
    return clips


def _as_on_disk(folder: Path, clip: Clip) -> Clip:
    """The clip with its files as the disk spells them."""
    files = {name: getattr(clip, name) for name in ("video", "tracks", "features")}
    spelled = {name: on_disk(folder, path) for name, path in files.items() if path}
    changed = {name: path for name, path in spelled.items() if path != files[name]}
    return clip.model_copy(update=changed) if changed else clip


def _hint(who: str, known: set[str]) -> str:
    """A suggestion for an unknown participant: a similar known one, or to add a row."""
    stripped = {other.lstrip("0"): other for other in known}
    near = [stripped[who]] if who in stripped else difflib.get_close_matches(who, known, n=1)
    return f"is {near[0]!r} meant?" if near else "add a row there"


def _scores(
    scores: dict[str, Score], file: str, number: int, row: dict[str, str], faults: list[Fault]
) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    for name, score in scores.items():
        try:
            values[name] = score.value(row.get(name, ""))
        except ValueError as error:
            faults.append(Fault(file, str(error), number, name))
    return values


def _validated(
    model: type[Row], values: dict[str, Any], file: str, row: int, faults: list[Fault]
) -> list[Row]:
    try:
        return [model.model_validate(values)]
    except ValidationError as error:
        for detail in error.errors():
            if detail["type"] != "missing":  # a missing column was reported once, for the header
                column = str(detail["loc"][0]) if detail["loc"] else None
                faults.append(
                    Fault(file, str(detail.get("ctx", {}).get("error", detail["msg"])), row, column)
                )
        return []


def _check_unique(table: Table, column: str, faults: list[Fault]) -> None:
    first: dict[str, int] = {}
    for number, row in table.rows:
        name = row.get(
            column, ""
        ).lower()  # files are named by it, and some file systems do not tell capitals apart
        if name in first:
            what = (
                f"{row[column]!r} is already in row {first[name]}; give each its own (capitals do"
                " not count)"
            )
            faults.append(Fault(table.file, what, number, column))
        elif name:
            first[name] = number


def _check_recordings(table: Table, recordings: dict[str, Recording], faults: list[Fault]) -> None:
    if any(fault.file == TABLE for fault in faults):
        return  # a recording may be missing because its rows have faults
    for number, row in table.rows:
        if (named := row.get("recording")) and named not in recordings:
            hint = _hint(named, set(recordings))
            what = f"recording {named!r} is not in {TABLE}; {hint}"
            faults.append(Fault(table.file, what, number, "recording"))


def _check_files(folder: Path, table: Table, faults: list[Fault]) -> None:
    for number, row in table.rows:
        for column in ("video", "tracks", "features"):
            try:
                path = relative_path(row.get(column, ""))
                there = not path or (folder / on_disk(folder, path)).is_file()
            except ValueError:  # a path that leads out is a fault of its own
                continue
            if not there:
                what = (
                    "there is no such file in the cohort's folder; correct the path or put the file"
                    " there"
                )
                faults.append(Fault(table.file, what, number, column))


def _notes(participants: list[Participant], clips: list[Clip], columns: Columns) -> list[str]:
    """Lines on what is allowed in a cohort but worth knowing."""
    notes = []
    with_clips = {clip.participant_id for clip in clips}
    if without := [
        participant.participant_id
        for participant in participants
        if participant.participant_id not in with_clips
    ]:
        notes.append(f"participants without a clip: {', '.join(without)}")
    notes += [
        f"{name} is scored in no clip"
        for name in columns.scores
        if all(clip.scores[name] is None for clip in clips)
    ]
    for name, label in columns.labels.items():
        seen = {clip.labels[name] for clip in clips} - {None}
        if not seen:
            notes.append(f"{name} is scored in no clip")
        elif unseen := [level for level in label.levels if level not in seen]:
            notes.append(f"{name}: no clip has the level {', '.join(unseen)}")
    owners: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.video or clip.recording:
            owners[clip.video or clip.recording].add(clip.participant_id)
    for shared in owners.values():
        if len(shared) > 1:
            notes.append(
                f"participants {', '.join(sorted(shared))} share one video; leaving one out would"
                " not leave it unseen"
            )
    return notes
