"""One maker for all phantom cohorts: a recipe draws the clips, the maker writes them.

There are five recipes: dystonia and emotional signs, seizures, myoclonus, facial weakness, people
in contact. A recipe draws one clip at a time and renders it. What the cohorts have in common is
here: which clips exist already, parallel work, progress, videos or tracks, the truth of each clip,
and the tables.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import xarray as xr
from joblib import delayed
from numpy.typing import NDArray
from tqdm import tqdm

from semiology.data.events import Event, write_events
from semiology.data.tracks import save_tracks
from semiology.errors import UserError
from semiology.files import read_json, write_json, write_text
from semiology.parallel import Workers, run_parallel
from semiology.video import write_video

NOTICE = (
    "SYNTHETIC: rendered by semiology's phantom. No person was filmed; nothing measured on it holds"
    " for patients."
)
LIGHT = {"Role": "covariate", "Levels": {"daylight": "in colour", "infrared": "at night, grey"}}
SYNTHETIC = {"Role": "covariate", "Description": NOTICE}
DESCRIPTION = {
    "Name": "semiology phantom (SYNTHETIC)",
    "BIDSVersion": "1.10.0",
    "DatasetType": "raw",
    "License": "CC0",
    "Acknowledgements": NOTICE,
}


@dataclass(frozen=True)
class Video:
    """A video that is rendered while it is written.

    Attributes:
        frames: (height, width, 3) uint8 RGB each.
        fps: frames a second.
        bit_rate: bits a second; None: the default of `write_video`.
        pixel_aspect: width of a stored pixel over its height.
        size: width and height of the file, px, to which the frames are scaled; None: their own.
    """

    frames: Iterable[NDArray]
    fps: float
    bit_rate: int | None = None
    pixel_aspect: Fraction = Fraction(1)
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Contents:
    """All files of one rendered clip.

    Attributes:
        recording: the video, or the tracks that stand for it.
        truth: tracks or text, written to truth/<clip_id><suffix>; suffix -> content.
        facts: what the JSON truth states of the clip.
        events: the events in the clip and its length (s), where the cohort has events.
    """

    recording: Video | xr.Dataset
    truth: Mapping[str, xr.Dataset | str]
    facts: Mapping[str, Any]
    events: tuple[list[Event], float] | None = None


@dataclass(frozen=True)
class Clip:
    """One clip of a cohort, all random choices drawn, not yet rendered.

    Attributes:
        row: its row of clips.tsv. `video` or `tracks` is the file, relative to the folder.
        render: makes the contents; not called where the clip exists already.
        group: of its participant, control or patient; empty where the cohort has no groups.
    """

    row: dict[str, str]
    render: Callable[[], Contents]
    group: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Recipe(ABC):
    """What one kind of cohort depends on, its number of participants aside.

    The fields of a recipe decide every byte of every clip: a clip on disk counts as made only
    where its truth names the same recipe.
    """

    kind: ClassVar[str]  # in messages and in the recipe's name; empty for the first kind
    version: ClassVar[int]  # raised when the same fields draw or render something else
    readme: ClassVar[str]  # of the cohort's folder
    floats: ClassVar[tuple[str, ...]] = ()  # fields that are numbers, or sequences of numbers

    def __post_init__(self) -> None:
        """Store numbers as floats, so that 30 and 30.0 name one recipe, then check the fields."""
        for name in self.floats:
            value = getattr(self, name)
            number = tuple(map(float, value)) if isinstance(value, Sequence) else float(value)
            object.__setattr__(self, name, number)
        self.check()

    @property
    def name(self) -> str:
        """A digest of kind, version and fields: the `recipe_name` in each clip's truth."""
        kinds = [self.kind] if self.kind else []
        text = json.dumps([*kinds, self.version, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @abstractmethod
    def check(self) -> None:
        """Raise UserError where a field makes no sense."""

    @abstractmethod
    def columns(self) -> dict[str, dict]:
        """The contents of clips.json: definitions of the columns of clips.tsv."""

    @abstractmethod
    def clips(self) -> list[tuple]:
        """The clips of every participant, each as a tuple of numbers and names."""

    @abstractmethod
    def draw(self, key: tuple) -> Clip:
        """Draw one clip. `key`: the participant's tuple followed by the clip's.

        The result depends on the recipe and the key alone, not on what else is drawn.
        """


def recording_file(clip_id: str, render: bool) -> dict[str, str]:
    """The column of clips.tsv that names a clip's video, or the tracks that stand for it."""
    if render:
        return {"video": f"videos/{clip_id}.mp4"}
    return {"tracks": f"tracks/{clip_id}.nc"}


def numbered(subjects: int) -> list[tuple[int]]:
    """Participants of a cohort without groups: numbers from 0.

    Raises:
        UserError: fewer than one.
    """
    if subjects < 1:
        raise UserError(f"phantom: subjects={subjects}; give 1 or more")
    return [(subject,) for subject in range(subjects)]


def make_cohort(
    out: str | Path,
    recipe: Recipe,
    participants: Sequence[tuple],
    *,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Make a SYNTHETIC cohort: the clips of every participant, their truth and the tables.

    A participant is the same person in the same clips whatever the number of participants and
    `jobs`. A second call continues where the first was interrupted; clips of another recipe are
    made again.

    Args:
        out: folder of the cohort; made if it does not exist.
        recipe: draws and renders the clips.
        participants: one tuple each, which begins the keys of the participant's clips.
        jobs: processes.
        progress: whether a progress bar is printed.

    Returns:
        The folder.

    Raises:
        UserError: the folder holds a cohort that is no phantom, or the disk is full.
    """
    out = Path(out)
    check_folder(out)
    keys = [(*participant, *clip) for participant in participants for clip in recipe.clips()]
    calls = [delayed(make_clip)(out, recipe, key) for key in keys]
    title = f"phantom {recipe.kind or 'clips'}"
    made = tqdm(
        run_parallel(calls, Workers(jobs=jobs)),
        total=len(keys),
        desc=title,
        unit="clip",
        disable=not progress,
    )
    clips = {key: (row, group) for key, row, group in made}
    write_tables(out, recipe, [clips[key] for key in keys])
    return out


def check_folder(out: Path) -> None:
    """Raise UserError where the folder holds a cohort that is no phantom."""
    sidecar = out / "clips.json"
    if (out / "clips.tsv").exists() and not (
        sidecar.is_file() and '"synthetic"' in sidecar.read_text(errors="replace")
    ):
        raise UserError(f"{out}: holds a cohort that is no phantom; choose another folder")


def make_clip(out: Path, recipe: Recipe, key: tuple) -> tuple[tuple, dict[str, str], str]:
    """Draw a clip, and write it unless it exists from the same recipe.

    Returns:
        Its key, its row of clips.tsv and the group of its participant.
    """
    clip = recipe.draw(key)
    path = out / (clip.row.get("video") or clip.row["tracks"])
    truth = out / "truth" / f"{clip.row['clip_id']}.json"
    if not is_made(truth, recipe.name, path):
        truth.unlink(missing_ok=True)
        write_clip(path, truth, clip, recipe)
    return key, clip.row, clip.group


def is_made(truth: Path, recipe_name: str, recording: Path) -> bool:
    """Whether a clip is complete, and from the recipe of that name."""
    if not (truth.is_file() and recording.is_file()):
        return False
    try:
        return bool(read_json(truth).get("recipe_name") == recipe_name)
    except UserError:
        return False


def write_clip(path: Path, truth: Path, clip: Clip, recipe: Recipe) -> None:
    """Render a clip and write its files. The JSON truth is the last: where it exists, the clip is
    complete.
    """
    contents, clip_id = clip.render(), clip.row["clip_id"]
    if isinstance(contents.recording, Video):
        video = contents.recording
        write_video(
            path,
            video.frames,
            video.fps,
            bit_rate=video.bit_rate,
            pixel_aspect=video.pixel_aspect,
            size=video.size,
        )
    else:
        save_tracks(contents.recording, path)
    if contents.events is not None:
        events, duration = contents.events
        folder = truth.parent.with_name("events")
        write_events(folder / f"{clip_id}_events.tsv", events, duration)
    for suffix, content in contents.truth.items():
        file = truth.with_name(clip_id + suffix)
        if isinstance(content, str):
            write_text(file, content)
        else:
            save_tracks(content, file)
    facts = {
        "synthetic": True,
        **{name: clip.row[name] for name in ("clip_id", "participant_id")},
        **contents.facts,
        "recipe": asdict(recipe),
        "recipe_name": recipe.name,
    }
    write_json(truth, facts)


def write_tables(out: Path, recipe: Recipe, clips: Sequence[tuple[dict[str, str], str]]) -> None:
    """Write everything of a cohort but its clips; clips.tsv last. `clips`: rows and groups."""
    rows = [row for row, _ in clips]
    participants = {
        row["participant_id"]: {"participant_id": row["participant_id"], "synthetic": "yes"}
        | ({"group": group} if group else {})
        for row, group in clips
    }
    write_text(out / "participants.tsv", table(list(participants.values())))
    write_json(out / "clips.json", recipe.columns(), indent=2)
    description = {**DESCRIPTION, "Recipe": asdict(recipe)}
    write_json(out / "dataset_description.json", description, indent=2)
    write_text(out / "README.md", recipe.readme)
    write_text(out / "clips.tsv", table(rows))


def table(rows: Sequence[dict[str, str]]) -> str:
    """Rows with the same keys as tab-separated text, the keys as its header."""
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join("\t".join(cells) + "\n" for cells in lines)
