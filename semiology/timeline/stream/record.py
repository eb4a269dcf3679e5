"""The folder of a timeline, written block by block, so that a run that was stopped at any moment is
resumed from its last block.
"""

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from semiology.data.arrays import write_arrays
from semiology.data.cohort.table import to_cell
from semiology.errors import UserError
from semiology.files import (
    content_hash,
    parse_json,
    read_json,
    safetensors_intact,
    write_json,
    write_text,
)
from semiology.timeline.events import Event, Hysteresis, write_events
from semiology.timeline.events.plot import draw_timeline
from semiology.timeline.events.timeline import read_timeline
from semiology.timeline.stream.signs import Row

COLUMNS = "task", "level", "start", "end", "probability"
NAMES = (
    "timeline.json",
    "timeline.png",
    "events.tsv",
    "events.json",
    "timeline.csv",
    "state.safetensors",
)


class Record:
    """The files of one run. OUT/timeline.csv is appended block by block; OUT/state.safetensors is
    then replaced atomically and records how many bytes of the table are valid.

    Rows that a killed run wrote after its last state are cut off when it is resumed, so that the
    result has the same bytes as without interruption. OUT/timeline.json is written last: its
    presence means that the run is complete.

    Args:
        folder: OUT.
        key: hash of everything on which the result depends; a state with another key is discarded.
        video: identity of the source.

    Raises:
        UserError: the folder cannot be created, or holds the timeline of another video.
    """

    def __init__(self, folder: Path, key: str, video: str = ""):
        self.folder, self.key, self.video = folder, key, video
        self.table = folder / "timeline.csv"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{folder}: cannot be created ({error.strerror}); name another folder (--out)"
            ) from error
        if self._stored_video() not in (None, video):
            raise UserError(
                f"{folder}: holds the timeline of another video; name another folder (--out)"
            )

    def has_rows(self) -> bool:
        """Whether the table has at least one row."""
        return self.table.is_file() and self.table.stat().st_size > len(_lines([COLUMNS]))

    def _stored_video(self) -> str | None:
        """Identity of the video whose timeline, complete or not, is in the folder; else None."""
        try:
            return str(read_json(self.folder / "timeline.json")["video"])
        except (UserError, KeyError):
            state = self._state()
            return None if state is None else state[0].get("video")

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """The state of the last block and its arrays; None without a readable one."""
        try:
            path = self.folder / "state.safetensors"
            if not safetensors_intact(path):
                return None
            with safe_open(path, framework="np") as stored:
                state = parse_json((stored.metadata() or {})["state"])
                names = stored.keys()  # it is no mapping
                return state, {name: stored.get_tensor(name) for name in names}
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None

    def finished(self, size: int | None) -> dict[str, Any] | None:
        """The result of a complete run on a source of `size` bytes whose tables are unchanged; else
        None.
        """
        try:
            result = read_json(self.folder / "timeline.json")
            same = (
                result["key"] == self.key
                and result["source_bytes"] == size
                and result["tables"] == self._tables()
            )
            return result if same else None
        except (UserError, OSError, ValueError, KeyError, TypeError):
            return None

    def resume(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """The state of the last block and its arrays, with the table cut to it; None for a new run,
        after old files are deleted.
        """
        (self.folder / "timeline.json").unlink(missing_ok=True)
        stored = self._state()
        if stored is not None:
            state, _ = stored
            if (
                state.get("key") == self.key
                and self.table.is_file()
                and self.table.stat().st_size >= state["bytes"]
            ):
                os.truncate(self.table, state["bytes"])
                return stored
        for name in NAMES:
            (self.folder / name).unlink(missing_ok=True)
        write_text(self.table, _lines([COLUMNS]))
        return None

    def block(
        self,
        rows: Iterable[Row],
        events: list[Event],
        seconds: float,
        state: dict[str, Any],
        arrays: dict[str, np.ndarray],
    ) -> None:
        """Save a block: its rows, all events so far, the processed time in s, and the state from
        which the run can be resumed.
        """
        self.add(rows)
        write_events(self.folder / "events.tsv", events, seconds)
        whole = {**state, "key": self.key, "video": self.video, "bytes": self.table.stat().st_size}
        path = self.folder / "state.safetensors"
        write_arrays(path, arrays, {"state": json.dumps(whole)})

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows to the table, times to the millisecond."""
        cells = [
            [row.task, row.level, f"{row.start:.3f}", f"{row.end:.3f}", _shown(row.probability)]
            for row in rows
        ]
        try:
            with open(self.table, "a", encoding="utf-8", newline="") as stream:
                stream.write(_lines(cells))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise UserError(
                f"{self.table}: cannot be written ({error.strerror}); the same command resumes"
                " from the last block"
            ) from error

    def finish(
        self,
        rows: Iterable[Row],
        events: list[Event],
        thresholds: dict[str, Hysteresis],
        result: dict[str, Any],
    ) -> None:
        """Complete the run: write the last rows, the events, the figure with the thresholds of each
        sign, and timeline.json.
        """
        self.add(rows)
        write_events(self.folder / "events.tsv", events, result["duration_s"])
        windows = {
            f"{task}: {level}": values
            for (task, level), values in read_timeline(self.table).windows.items()
        }
        found = {
            name: [event for event in events if f"{event.sign}: {event.level}" == name]
            for name in windows
        }
        draw_timeline(
            self.folder / "timeline.png",
            windows,
            found,
            result["duration_s"],
            thresholds=thresholds,
        )
        content = {**result, "video": self.video, "tables": self._tables(), "key": self.key}
        write_json(self.folder / "timeline.json", content)

    def _tables(self) -> dict[str, str]:
        """Name of each table -> its SHA-256."""
        return {name: content_hash(self.folder / name) for name in (self.table.name, "events.tsv")}


def _lines(cells: Iterable[Iterable[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(map(to_cell, row) for row in cells)
    return stream.getvalue()


def _shown(probability: float | None) -> str:
    return "" if probability is None else f"{probability:.4f}"
