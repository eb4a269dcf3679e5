"""Online identification of the patient: the rule of `tracking.patient.follow_patient` applied to
the video so far, in bounded memory.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from semiology.tracking.patient import (
    MIN_SAMPLES,
    REGION_SIDES,
    Faces,
    FaceTrack,
    Look,
    Patient,
    PatientLocation,
    add_sample,
)

MEMORY = 600.0  # s; older samples of a face are dropped, with the last one the person. [our choice]
# the region stays while it holds the face's positions extended by this fraction of the margin of a
# new region. [our choice]
SLACK = 0.75


@dataclass
class Person:
    """The face of one person: samples of the last ten minutes, total number of samples, and the
    persons seen at the same time.
    """

    name: int
    face: FaceTrack
    count: int = 0
    met: set[int] = field(default_factory=set)

    @property
    def weight(self) -> float:
        """`FaceTrack.weight` so far: number of samples, times the size, direction and visible face
        of the last ten minutes.
        """
        return self.count / max(len(self.face.times), 1) * self.face.weight


class OnlinePatient:
    """The patient so far: `update` takes the detected faces of a sample, every `interval` s; `at`
    gives the patient in the frames up to it.

    So a frame waits for the next sample, and its face is interpolated between two samples as
    offline. Differences from `follow_patient`:

    - the patient is the person with the largest presence times size so far, so a caregiver who is
      there first is taken for the patient until the patient has been seen more; other persons count
      from their third sample on;
    - a person not seen for ten minutes is forgotten, and size and region are of the last ten
      minutes;
    - the region may change: it is the offline one of the video so far, and stays while it is large
      enough (three quarters of the margin) and not too large (at most twice the size needed).
    """

    def __init__(self, interval: float):
        self.interval = interval
        self.people: list[Person] = []
        self.region = np.zeros(4)
        self._named = 0
        self._seen = Patient(None, [], interval, 0, 0)

    def update(self, time: float, faces: Faces, width: int, height: int) -> None:
        """Add the faces of the frame at `time` (s), which is `width` by `height` px."""
        tracks = [person.face for person in self.people]
        add_sample(tracks, time, faces)
        for face in tracks[len(self.people) :]:
            self.people.append(Person(self._named, face))
            self._named += 1
        now = [person for person in self.people if person.face.times[-1] == time]
        for person in now:
            person.count += 1
            person.met |= {other.name for other in now} - {person.name}
        self._forget(time - MEMORY)
        self._choose(width, height)

    def at(self, time: float) -> PatientLocation:
        """The patient in the frame at `time` (s), which is not after the last sample."""
        return replace(self._seen.at(time), region=self.region)

    def _forget(self, before: float) -> None:
        for person in self.people:
            face = person.face
            old = next(
                (number for number, time in enumerate(face.times) if time >= before),
                len(face.times),
            )
            del face.times[:old], face.boxes[:old], face.probabilities[:old], face.looks[:old]
        self.people = [person for person in self.people if person.face.times]
        names = {person.name for person in self.people}
        for person in self.people:
            person.met &= names

    def _choose(self, width: int, height: int) -> None:
        patient = max(self.people, key=lambda person: person.weight, default=None)
        if patient is None:
            self._seen = Patient(None, [], self.interval, width, height)
        else:
            others = [
                person.face
                for person in self.people
                if person.name in patient.met and person.count >= MIN_SAMPLES
            ]
            self._seen = Patient(patient.face, others, self.interval, width, height)
        wanted = self._seen.region
        if not self._serves(wanted):
            self.region = wanted

    def _serves(self, wanted: np.ndarray) -> bool:
        """Whether the region in use still holds the patient and is not much larger than the
        `wanted` one.
        """
        if self._seen.face is None or np.array_equal(self.region, wanted):
            return bool(self.region.any())
        boxes = np.stack(self._seen.face.boxes)
        reach = SLACK * REGION_SIDES * self._seen.size
        low = np.maximum(boxes[:, :2].min(0) - reach, 0)
        high = np.minimum(boxes[:, 2:].max(0) + reach, (self._seen.width, self._seen.height))
        holds = (self.region[:2] <= low).all() and (self.region[2:] >= high).all()
        return bool(
            holds and max(self.region[2:] - self.region[:2]) < 2 * max(wanted[2:] - wanted[:2])
        )

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The state for `restore`: a part for JSON, and arrays of each person's samples (sample,
        value): time s, box px, probability, and the looks.
        """
        people = [
            {"name": person.name, "count": person.count, "met": sorted(person.met)}
            for person in self.people
        ]
        size = [self._seen.width, self._seen.height]
        arrays = {f"person/{person.name}": _samples(person.face) for person in self.people}
        return {
            "people": people,
            "named": self._named,
            "region": self.region.tolist(),
            "size": size,
        }, arrays

    def restore(self, state: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Continue from what `state` gave."""
        self._named, self.region = state["named"], np.array(state["region"])
        self.people = []
        for person in state["people"]:
            samples = arrays[f"person/{person['name']}"]
            times, probabilities = samples[:, 0].tolist(), samples[:, 5].tolist()
            face = FaceTrack(times, list(samples[:, 1:5]), probabilities, _looks(samples[:, 6:]))
            self.people.append(Person(person["name"], face, person["count"], set(person["met"])))
        self._choose(*state["size"])


def _samples(face: FaceTrack) -> np.ndarray:
    """(sample, 6 + look): looks as is_face, angle, body, colours; NaN where there are none."""
    seen = [look.colours for look in face.looks if look is not None and look.colours is not None]
    width = 6 + (len(seen[0]) if seen else 0)
    looks = np.full((len(face.looks), width), np.nan)
    for row, look in zip(looks, face.looks):
        if look is not None:
            row[:6] = look.is_face, look.angle, *look.body
            if look.colours is not None:
                row[6:] = look.colours
    return np.column_stack([face.times, np.stack(face.boxes), face.probabilities, looks])


def _looks(rows: np.ndarray) -> list[Look | None]:
    """The looks of `_samples`."""
    return [
        None
        if np.isnan(row[0])
        else Look(
            bool(row[0]),
            row[1],
            row[2:6],
            None if np.isnan(row[6:]).any() or len(row) == 6 else row[6:],
        )
        for row in rows
    ]
