"""The recipe of a phantom cohort of two seizure types: who has which, how long, recorded by which
cameras, the contents of each clip, and what the columns of its tables mean.
"""

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from semiology.errors import UserError
from semiology.phantom.cohort import (
    LIGHT,
    NOTICE,
    SYNTHETIC,
    Clip,
    Contents,
    Recipe,
    Video,
    make_cohort,
    numbered,
)
from semiology.phantom.drawing.blanket import check_cover
from semiology.phantom.drawing.clip import draw_subject
from semiology.phantom.drawing.filming import (
    FPS,
    View,
    check_film,
    draw_light,
    draw_view,
    with_image_size,
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
from semiology.phantom.shared.design import block_randomised, generator
from semiology.phantom.shared.truth import joint_tracks, landmark_tracks

SEIZURES_JSON: dict[str, dict] = {
    "seizure_type": {
        "Role": "label",
        "LongName": "Type of the seizure",
        "Description": (
            "Whether a focal hyperkinetic seizure evolves to a bilateral tonic-clonic one."
            f" {NOTICE}"
        ),
        "ILAETerm": "focal to bilateral tonic-clonic",
        "Levels": {
            "FOS": "focal onset, hyperkinetic to its end",
            "TCS": "hyperkinetic, then tonic, then clonic",
        },
    },
    "recording_id": {"Role": "covariate", "Description": "The seizure; its views share it"},
    "view": {"Role": "covariate", "Levels": {"L": "the first camera", "S": "the second camera"}},
    "duration": {"Role": "covariate", "Description": "Of the seizure", "Units": "s"},
    "light": LIGHT,
    "synthetic": SYNTHETIC,
}

SEIZURES_README = f"""# Phantom cohort of seizures

{NOTICE}

- `participants.tsv`, `clips.tsv`, `clips.json`: a cohort as `semiology cohort check` reads it; a \
clip is one camera's view of a seizure,
  and the views of one seizure share a `recording_id`.
- `videos/`: the rendered clips, each a whole seizure.
- `events/<clip_id>_events.tsv`: the seizure with its type as the level, and its phases.
- `truth/<clip_id>.nc`, `truth/<clip_id>_face.nc`: the eleven joints and the 23 landmarks, in \
pixels and in metres (camera axes: x right, y
  down, z away). Confidence is 0 where a point is hidden or out of the picture; its position is \
true all the same.
- `truth/<clip_id>.json`: phases, the moments of a hyperkinetic phase that look like another one, \
the rates of the jerks, camera, light and
  the recipe.
"""

DURATIONS: dict[Kind, tuple[float, float, float]] = {
    "FOS": (16, 53, 701),
    "TCS": (51, 93, 1098),
}  # s: shortest, median, longest [T]
TCS_IN_TWELVE = 5  # 77 of 183 seizures [T], as near as twelfths allow
EXTREME = 2.0  # standard deviations at which some dozens of draws have their longest and shortest
APART = 25.0, 60.0  # degrees between the two cameras [our choice]
VIEWS = ("L", "S")


@dataclass(frozen=True)
class SeizureRecipe(Recipe):
    """Focal hyperkinetic and focal to bilateral tonic-clonic seizures; see `make_seizures`.

    Args:
        seizures_per_subject: of each participant; about 5 in 12 are TCS, as in the paper. [T]
        seconds: shorter and longer seizures are given these durations. [T] median and range 53
            (16-701) s for FOS, 93 (51-1098) s for TCS
        views: cameras, 1 or 2.
        blanket: over the body: "none", "half" (legs and belly) or "all" (up to the shoulders). It
            moves with the arms beneath; the truth is that without it.
        fps: frames a second; GESTURES reads 15.
        width: of the image, px.
        height: of the image, px; the time for rendering grows with its area.
        seed: of everything random.
    """

    seizures_per_subject: int = 2
    seconds: tuple[float, float] = (15.0, 1098.0)
    views: int = 2
    blanket: str = "none"
    fps: float = FPS
    width: int = 352
    height: int = 288
    seed: int = 0

    kind = "seizures"
    version = 2
    readme = SEIZURES_README
    floats = ("seconds", "fps")

    def check(self) -> None:
        """Raise UserError where a field makes no sense."""
        check_film(self.fps, self.width, self.height)
        check_cover(self.blanket)
        if not SHORTEST <= self.seconds[0] <= self.seconds[1]:
            raise UserError(
                f"phantom: seconds={self.seconds[0]:g},{self.seconds[1]:g}; give the shortest and"
                f" the longest seizure, {SHORTEST:g} s or more"
            )
        if self.seizures_per_subject < 1 or self.seed < 0 or not 1 <= self.views <= len(VIEWS):
            raise UserError(
                "phantom: seizures_per_subject has to be 1 or more, views 1 or 2, and seed 0 or"
                " more"
            )

    def columns(self) -> dict[str, dict]:
        """Definitions of the label and the covariates."""
        return SEIZURES_JSON

    def clips(self) -> list[tuple[int, str]]:
        """A participant's seizures, from 0, in each of the views."""
        return [
            (seizure, view)
            for seizure in range(self.seizures_per_subject)
            for view in VIEWS[: self.views]
        ]

    def draw(self, key: tuple) -> Clip:
        """Draw one clip. `key`: subject and seizure, both from 0, and the view's name."""
        subject, seizure, view = key
        kind, recordings = plan_seizure(self, subject, seizure)
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
        return Clip(row, partial(render, recording, row))


def draw_duration(rng: np.random.Generator, kind: Kind, quantile: float) -> float:
    """Seconds at `quantile` of a log-normal about the published median, wider above than
    below it, so that some dozens of seizures reach from the shortest to the longest published [our
    choice]; a twelfth of all is drawn between `quantile` and `quantile` + 1/12.
    """
    shortest, median, longest = DURATIONS[kind]
    deviations = float(norm.ppf(quantile + rng.random() / 12))
    far = longest if deviations > 0 else shortest
    return float(np.clip(median * (far / median) ** abs(deviations / EXTREME), shortest, longest))


def plan_seizure(
    recipe: SeizureRecipe, subject: int, seizure: int
) -> tuple[Kind, dict[str, Recording]]:
    """Draw one seizure (subjects and seizures count from 0): its type, and what each camera will
    see of it, by the view's name.
    """
    rng = generator(recipe.seed, 10, subject, seizure)
    kind: Kind = (
        "TCS"
        if block_randomised(recipe.seed, 2 + 2 * seizure, subject, 12) < TCS_IN_TWELVE
        else "FOS"
    )
    lasting = draw_duration(
        rng, kind, block_randomised(recipe.seed, 3 + 2 * seizure, subject, 12) / 12
    )
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
    first, second = (
        with_image_size(view, recipe.width, recipe.height) for view in (who.view, second)
    )
    return replace(who, view=first, blanket=recipe.blanket), second


def render(recording: Recording, row: dict[str, str]) -> Contents:
    """Render one clip: its video, events, joints and landmarks."""
    subject, fps = recording.subject, recording.fps
    performance = act(recording, range(recording.frames))
    return Contents(
        Video(film(recording), fps, bit_rate(recording)),
        {
            ".nc": joint_tracks(subject, performance, fps),
            "_face.nc": landmark_tracks(subject, performance, fps),
        },
        {"recording_id": row["recording_id"], "view": row["view"], **clip_facts(recording)},
        (events(recording), recording.duration),
    )


def clip_facts(recording: Recording) -> dict:
    """What happens in a clip of one seizure, for JSON; times in seconds of the video."""
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
        "camera": camera.parameters(),
    }


def make_seizures(
    out: str | Path, *, subjects: int = 12, jobs: int = 1, progress: bool = True, **recipe: Any
) -> Path:
    """Render a SYNTHETIC cohort of focal hyperkinetic seizures (FOS) and focal to bilateral
    tonic-clonic ones (TCS), with its complete truth.

    Subject number s is the same person with the same seizures whatever `subjects` and `jobs` are. A
    second call continues where the first was interrupted; clips of another recipe are made again.

    Args:
        out: folder of the cohort; made if it does not exist.
        subjects: number of participants.
        jobs: processes.
        progress: whether a progress bar is printed.
        recipe: fields of `SeizureRecipe`.

    Returns:
        The folder.

    Raises:
        UserError: a parameter that makes no sense, a folder that holds another cohort, a full disk.
    """
    chosen, participants = SeizureRecipe(**recipe), numbered(subjects)
    return make_cohort(out, chosen, participants, jobs=jobs, progress=progress)
