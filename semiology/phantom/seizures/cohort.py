"""A phantom cohort of two seizure types: who has which, how long, seen by which cameras; the files
of each clip.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import norm

from semiology.data.events import write_events
from semiology.data.tracks import save_tracks
from semiology.errors import UserError
from semiology.phantom.drawing.clip import draw_subject
from semiology.phantom.drawing.filming import (
    FPS,
    View,
    check_film,
    draw_light,
    draw_view,
    with_picture,
)
from semiology.phantom.seizures.phases import Kind, jerk_rate
from semiology.phantom.seizures.recording import (
    SHORTEST,
    Recording,
    act,
    bit_rate,
    draw_recording,
    events,
    film,
)
from semiology.phantom.shared.cohort import (
    SEIZURES_JSON,
    SEIZURES_README,
    is_made,
    make_clips,
    recipe_name,
    write_tables,
    write_truth,
)
from semiology.phantom.shared.design import deal, generator
from semiology.phantom.shared.truth import joint_tracks, landmark_tracks
from semiology.video import write_video

VERSION = (
    1  # raise when the same recipe draws or renders something else: older clips are then made anew
)
DURATIONS: dict[Kind, tuple[float, float, float]] = {
    "FOS": (16, 53, 701),
    "TCS": (51, 93, 1098),
}  # s: shortest, median, longest [T]
TCS_IN_TWELVE = 5  # 77 of 183 seizures [T], as near as twelfths allow
EXTREME = 2.0  # standard deviations at which some dozens of draws have their longest and shortest
APART = 25.0, 60.0  # degrees between the two cameras [our choice]
VIEWS = ("L", "S")


@dataclass(frozen=True)
class SeizureRecipe:
    """All that a cohort of seizures depends on, its number of subjects aside; see `make_seizures`."""

    seizures_per_subject: int = 2
    seconds: tuple[float, float] = (15.0, 1098.0)
    views: int = 2
    fps: float = FPS
    width: int = 352
    height: int = 288
    seed: int = 0

    def __post_init__(self) -> None:
        check_film(self.fps, self.width, self.height)
        if not SHORTEST <= self.seconds[0] <= self.seconds[1]:
            said = (
                f"seconds={self.seconds[0]:g},{self.seconds[1]:g}; give the shortest and the"
                f" longest seizure, {SHORTEST:g} s or more"
            )
            raise UserError(f"phantom: {said}")
        if self.seizures_per_subject < 1 or self.seed < 0 or not 1 <= self.views <= len(VIEWS):
            raise UserError(
                "phantom: seizures_per_subject has to be 1 or more, views 1 or 2, and seed 0 or"
                " more"
            )

    def name(self) -> str:
        """A digest that names the recipe in each clip's truth."""
        return recipe_name(self, VERSION, "seizures")


def draw_duration(rng: np.random.Generator, kind: Kind, share: float) -> float:
    """Seconds at quantile `share` of a log-normal about the published median, wider above than
    below it, so that some dozens of seizures reach from the shortest to the longest published [our
    choice]; a twelfth of all is drawn within `share` and `share` + 1/12.
    """
    shortest, median, longest = DURATIONS[kind]
    deviations = float(norm.ppf(share + rng.random() / 12))
    far = longest if deviations > 0 else shortest
    return float(np.clip(median * (far / median) ** abs(deviations / EXTREME), shortest, longest))


def plan_seizure(
    recipe: SeizureRecipe, subject: int, seizure: int
) -> tuple[Kind, dict[str, Recording]]:
    """Draw one seizure (subjects and seizures count from 0): its type, and what each camera will
    see of it, by the view's name.
    """
    rng = generator(recipe.seed, 10, subject, seizure)
    kind: Kind = "TCS" if deal(recipe.seed, 2 + 2 * seizure, subject, 12) < TCS_IN_TWELVE else "FOS"
    lasting = draw_duration(rng, kind, deal(recipe.seed, 3 + 2 * seizure, subject, 12) / 12)
    lasting = round(float(np.clip(lasting, *recipe.seconds)) * recipe.fps) / recipe.fps
    who, second = draw_people(recipe, subject)
    first = draw_recording(rng, who, lasting, [(kind, 0.0, lasting)], recipe.fps)
    light = replace(
        draw_light(rng, second),
        night=first.light.night,
        contrast=first.light.contrast,
        tint=first.light.tint,
    )
    return kind, dict(zip(VIEWS[: recipe.views], (first, first.seen_by(second, light))))


def draw_people(recipe: SeizureRecipe, subject: int):
    """The subject as the first camera sees them, and the second camera: on the other side of the
    bed's foot, somewhat nearer or farther.
    """
    rng = generator(recipe.seed, 9, subject)
    who = draw_subject(rng)
    second: View = draw_view(rng, who.room)
    away = -np.sign(who.view.azimuth) * np.radians(rng.uniform(*APART))
    second = replace(second, azimuth=float(who.view.azimuth + away))
    first, second = (with_picture(view, recipe.width, recipe.height) for view in (who.view, second))
    return replace(who, view=first), second


def make_clip(
    out: Path, recipe: SeizureRecipe, subject: int, seizure: int, view: str
) -> dict[str, str]:
    """Make one clip's video, events and truth unless they are there from the same recipe; returns
    its row of clips.tsv.

    The JSON truth is written last: where it is, the clip is whole.
    """
    kind, recordings = plan_seizure(recipe, subject, seizure)
    recording = recordings[view]
    recording_id = f"sub-{subject + 1:02d}_sz-{seizure + 1:02d}"
    clip_id = f"{recording_id}_{view}"
    row = {
        "clip_id": clip_id,
        "participant_id": f"sub-{subject + 1:02d}",
        "video": f"videos/{clip_id}.mp4",
        "start": "0",
        "end": f"{recording.duration:.3f}",
        "seizure_type": kind,
        "recording_id": recording_id,
        "view": view,
        "duration": f"{recording.duration:.3f}",
        "light": "infrared" if recording.light.night else "daylight",
        "synthetic": "yes",
    }
    truth, video = out / "truth" / f"{clip_id}.json", out / row["video"]
    if is_made(truth, recipe.name(), video):
        return row
    truth.unlink(missing_ok=True)
    write_video(video, film(recording), recipe.fps, bit_rate=bit_rate(recording))
    write_events(out / "events" / f"{clip_id}_events.tsv", events(recording), recording.duration)
    performance = act(recording, range(recording.frames))
    save_tracks(joint_tracks(recording.subject, performance, recipe.fps), truth.with_suffix(".nc"))
    save_tracks(
        landmark_tracks(recording.subject, performance, recipe.fps),
        truth.with_name(f"{clip_id}_face.nc"),
    )
    told = {
        "clip_id": clip_id,
        "participant_id": row["participant_id"],
        "recording_id": recording_id,
        "view": view,
    }
    write_truth(truth, {**told, **story(recording)}, recipe, recipe.name())
    return row


def story(recording: Recording) -> dict:
    """What is to be seen in a clip of one seizure, for JSON; times in seconds of the video."""
    (_, seizure), camera = (
        recording.seizures[0],
        recording.subject.view.camera(recording.subject.person.body, recording.subject.room),
    )
    clonic = [phase for phase in seizure.phases if phase.kind == "clonic"]
    rates = {
        f"{time:.3f}": round(float(jerk_rate(seizure, np.array(time))[0]), 3)
        for p in clonic
        for time in (p.start, p.stop)
    }
    return {
        "labels": {"seizure_type": seizure.kind},
        "phases": [asdict(phase) for phase in seizure.phases],
        "moments": [asdict(moment) for moment in seizure.moments],
        "jerks": rates,  # Hz, by time
        "fps": recording.fps,
        "frames": recording.frames,
        "light": "infrared" if recording.light.night else "daylight",
        "noise": recording.light.noise,
        "bit_rate": bit_rate(recording),
        "camera": camera.story(),
    }


def make_seizures(
    out: str | Path,
    *,
    subjects: int = 12,
    seizures_per_subject: int = 2,
    seconds: tuple[float, float] = (15.0, 1098.0),
    views: int = 2,
    fps: float = FPS,
    width: int = 352,
    height: int = 288,
    seed: int = 0,
    jobs: int = 1,
    progress: bool = True,
) -> Path:
    """Render a SYNTHETIC cohort of focal hyperkinetic seizures (FOS) and focal to bilateral
    tonic-clonic ones (TCS), with its whole truth.

    Subject number s is the same person with the same seizures whatever `subjects` and `jobs` are. A
    second call goes on where the first was interrupted; clips of another recipe are made anew.

    Args:
        out: folder of the cohort; made if it is not there.
        subjects: number of participants.
        seizures_per_subject: of each; about 5 in 12 are TCS, as in the paper. [T]
        seconds: what shorter and longer seizures are made to last. [T] median and range 53 (16-701)
            s for FOS, 93 (51-1098) s for TCS
        views: cameras, 1 or 2.
        fps: frames a second; GESTURES reads 15.
        width: px. height: px. The picture's size is what rendering costs.
        seed: of everything random.
        jobs: processes.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    out = Path(out)
    recipe = SeizureRecipe(
        seizures_per_subject,
        (float(seconds[0]), float(seconds[1])),
        views,
        float(fps),
        width,
        height,
        seed,
    )
    if subjects < 1:
        raise UserError(f"phantom: subjects={subjects}; give 1 or more")
    places = [
        (subject, seizure, view)
        for subject in range(subjects)
        for seizure in range(seizures_per_subject)
        for view in VIEWS[:views]
    ]
    rows = make_clips(
        make_clip, out, recipe, places, jobs=jobs, progress=progress, what="phantom seizures"
    )
    write_tables(out, rows, SEIZURES_JSON, SEIZURES_README, asdict(recipe))
    return out
