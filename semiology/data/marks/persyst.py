"""Persyst's .lay, read: the comments in the text beside an EEG.

A line under [Comments] is "seconds,duration,state,type,text", of the EEG's first sample. As in MNE,
the commas in the text stay; a duration of 0 is an instant. [C: MNE-Python 1.13.2, mne.io.persyst]
"""

from pathlib import Path

from semiology.data.marks.mark import Mark, Marks, WallClock, file_name
from semiology.errors import UserError


def read(path: Path, start: WallClock | None = None) -> list[Marks]:
    """The comments of a .lay.

    Raises:
        UserError: it is no .lay, or a comment cannot be read.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    section, media, gaps = "", "", -1
    marks: list[Mark] = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].lower()
        elif section == "comments" and line:
            try:
                onset, lasts, _, _, comment = line.split(",", 4)
                if comment.strip():
                    seconds = float(onset), float(lasts)
                    marks.append(Mark(*seconds, " ".join(comment.split())))
            except (ValueError, UserError) as error:
                raise UserError(
                    f"{path}: line {number}: is no comment ({error}); write seconds, duration,"
                    " state, type, text"
                ) from None
        elif section == "sampletimes":
            gaps += "=" in line
        elif section == "fileinfo" and line.lower().startswith("file="):
            media = file_name(line.partition("=")[2])
    if not section:
        raise UserError(f"{path}: is no .lay; export the EEG as EDF+ with its comments")
    notes = ["times are seconds of the EEG, from its first sample"]
    if gaps > 0:
        notes.append(f"the EEG has {gaps} gaps, which comments' times are taken to hold")
    return [Marks(path.stem, marks, media, notes=tuple(notes))]
