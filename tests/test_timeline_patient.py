"""The patient as a video runs: one pass beside two, people who come and go, a region that stays."""

import json

import numpy as np

from semiology.timeline.stream.patient import MEMORY, OnlinePatient
from semiology.timeline.stream.tracking import frames_with_patient
from semiology.tracking.patient import Faces, follow_patient
from semiology.video import Frame


def box(x: float, y: float, size: float) -> np.ndarray:
    return np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2])


def seen(*boxes: np.ndarray) -> Faces:
    return Faces(np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.99))


def frames(count: int, fps: float) -> list[Frame]:
    return [
        Frame(index, index / fps, index / fps, index, np.full((360, 640, 3), index, np.uint8))
        for index in range(count)
    ]


def followed_both_ways(samples: list[Faces], every: int = 4):
    """Sights of the frames from the two passes and from one: a look every fourth frame of eight a
    second.
    """
    film = frames(every * len(samples), 8.0)

    def detector(image: np.ndarray) -> Faces:
        return samples[int(image[0, 0, 0]) // every]

    offline = follow_patient(film[::every], detector, every / 8)
    online = OnlinePatient(every / 8)
    return [offline.at(frame.time) for frame in film], [
        sight for _, sight in frames_with_patient(film, detector, online, every, -1)
    ]


def test_one_who_moves_is_followed_as_in_two_passes():
    two, one = followed_both_ways([seen(box(300 + 10 * n, 150, 60)) for n in range(6)])
    assert len(two) == len(one) == 24
    for offline, online in zip(
        two[:23], one
    ):  # the last frame is more than half an interval after the last look
        np.testing.assert_allclose(online.face, offline.face)
        assert (online.time, online.probability) == (offline.time, offline.probability)
        assert online.region.tolist() == offline.region.tolist() == [0, 0, 640, 360]
    assert two[23].face is None and one[23].face is None
    np.testing.assert_allclose(
        one[2].face, box(305, 150, 60)
    )  # halfway between the first two samples


def test_a_caregiver_who_bends_over_the_bed_is_another_person():
    patient, caregiver = box(200, 150, 60), box(420, 120, 80)
    samples = [seen(patient), seen(patient), *[seen(caregiver, patient)] * 4, seen(patient)]
    two, one = followed_both_ways(samples)
    for offline, online in zip(two[:27], one):
        np.testing.assert_allclose(online.face, patient)
        np.testing.assert_allclose(offline.face, patient)
    for offline, online in list(zip(two, one))[
        12:
    ]:  # from the interval that ends with her third sample (at frame 16) on
        np.testing.assert_allclose(online.others, offline.others)
    assert (
        len(two[8].others) == 1 and len(one[8].others) == 0
    )  # the one thing that two passes know earlier


def test_who_was_seen_more_takes_over_and_who_is_long_gone_is_forgotten():
    online = OnlinePatient(0.5)
    for number in range(3):
        online.update(number / 2, seen(box(420, 120, 80)), 640, 360)
    assert online.at(1.0).face.tolist() == box(420, 120, 80).tolist()
    for number in range(3, 8):
        online.update(number / 2, seen(box(200, 150, 60)), 640, 360)
    assert online.at(3.5).face.tolist() == box(200, 150, 60).tolist()  # 5 x 60 > 3 x 80
    online.update(1.0 + MEMORY + 0.5, seen(box(200, 150, 60)), 640, 360)
    assert [person.count for person in online.people] == [6]
    state, arrays = online.state()
    again = OnlinePatient(0.5)
    again.restore(json.loads(json.dumps(state)), arrays)
    assert again.state()[0] == state and again.at(601.5).face.tolist() == box(200, 150, 60).tolist()


def test_the_region_of_a_small_patient_is_kept_until_he_leaves_it():
    online = OnlinePatient(0.5)
    online.update(0.0, seen(box(500, 400, 20)), 1280, 720)
    assert online.region.tolist() == [250, 150, 750, 650]  # the face grown by twelve sides of 20 px
    for when, x in ((0.5, 525), (1.0, 550)):
        online.update(when, seen(box(x, 400, 20)), 1280, 720)
    assert online.region.tolist() == [250, 150, 750, 650]  # nine sides still fit: up to x = 740
    online.update(1.5, seen(box(570, 400, 20)), 1280, 720)
    assert online.region.tolist() == [250, 150, 820, 650]
