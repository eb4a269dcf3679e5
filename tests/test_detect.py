import numpy as np
import pytest

from semiology.tracking.boxes import side
from semiology.tracking.patient import (
    FaceDetector,
    Faces,
    FaceTrack,
    Patient,
    follow_patient,
    link_faces,
)
from semiology.video import Frame


def box(x: float, y: float, size: float) -> np.ndarray:
    """A square face, by its centre."""
    return np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2])


def seen(*boxes: np.ndarray) -> Faces:
    return Faces(np.array(boxes).reshape(-1, 4), np.full(len(boxes), 0.99))


def test_side_is_that_of_the_square_of_the_same_area():
    assert side(np.array([0, 0, 4, 9])) == pytest.approx(6)


def test_a_head_that_leaves_its_own_box_is_still_one_person():
    tracks = link_faces(
        [
            (0.0, seen(box(100, 100, 40))),
            (0.5, seen(box(150, 100, 40))),
            (1.0, seen(box(200, 100, 40))),
        ]
    )
    assert [track.times for track in tracks] == [[0.0, 0.5, 1.0]]


def test_two_people_keep_their_tracks_whatever_the_order_of_detection():
    left, right = box(100, 100, 40), box(180, 100, 40)
    tracks = link_faces(
        [(0.0, seen(left, right)), (0.5, seen(right, left)), (1.0, seen(left, right))]
    )
    assert [[b[0] for b in track.boxes] for track in tracks] == [[80, 80, 80], [160, 160, 160]]


def test_a_face_far_away_or_of_another_size_is_another_person():
    tracks = link_faces(
        [
            (0.0, seen(box(100, 100, 40))),
            (0.5, seen(box(400, 100, 40))),
            (1.0, seen(box(100, 100, 160))),
        ]
    )
    assert len(tracks) == 3


def test_the_patient_who_turned_away_is_met_again():
    tracks = link_faces(
        [(0.0, seen(box(100, 100, 40))), (9.5, seen()), (10.0, seen(box(190, 100, 40)))]
    )
    assert [track.times for track in tracks] == [
        [0.0, 10.0]
    ]  # 90 px are 2.25 sides: too far for half a second, not for ten


def test_position_between_samples_is_interpolated_and_a_gap_is_not_bridged():
    track = FaceTrack(
        [0.0, 0.5, 2.0], [box(100, 50, 20), box(110, 50, 20), box(200, 50, 20)], [1.0, 0.9, 1.0]
    )
    middle = track.at(0.25, interval=0.5)
    assert middle is not None
    np.testing.assert_allclose(middle[0], box(105, 50, 20))
    assert middle[1] == pytest.approx(0.95)
    assert track.at(1.2, interval=0.5) is None
    assert (
        track.at(0.7, interval=0.5)[0].tolist() == box(110, 50, 20).tolist()
    )  # within half an interval of a sample


def frames(count: int) -> list[Frame]:
    return [
        Frame(index, index / 2, index / 2, index, np.zeros((360, 640, 3), np.uint8))
        for index in range(count)
    ]


def detections(*samples: Faces):
    remaining = iter(samples)
    return lambda image: next(remaining)


def test_the_patient_is_who_is_there_longest_not_who_is_nearest_for_a_while():
    patient, caregiver = box(150, 150, 40), box(450, 150, 80)
    samples = [seen(patient)] * 7 + [seen(caregiver, patient)] * 3
    followed = follow_patient(frames(10), detections(*samples), 0.5)
    assert (
        followed.face is not None and len(followed.face.times) == 10
    )  # 10 x 40 px against 3 x 80 px
    assert [len(track.times) for track in followed.others] == [3]
    assert followed.at(4.5).others.tolist() == [caregiver.tolist()]
    assert followed.at(1.0).others.shape == (0, 4)


def test_a_face_never_seen_together_with_the_patient_may_be_the_patient():
    samples = [seen(box(100, 100, 40))] * 5 + [seen(box(500, 100, 40))] * 4
    assert follow_patient(frames(9), detections(*samples), 0.5).others == []


def test_no_face_at_all_means_the_whole_frame():
    followed = follow_patient(frames(3), detections(seen(), seen(), seen()), 0.5)
    assert followed.face is None
    assert followed.at(0.3).face is None
    assert followed.region.tolist() == [0, 0, 640, 360]


def test_a_small_patient_gets_a_region_of_twelve_faces_around():
    track = FaceTrack([0.0], [box(900, 500, 20)], [1.0])
    assert Patient(track, [], 0.5, 1920, 1080).region.tolist() == [650, 250, 1150, 750]
    middle = FaceTrack([0.0], [box(400, 300, 20)], [1.0])
    assert Patient(middle, [], 0.5, 800, 600).region.tolist() == [
        0,
        0,
        800,
        600,
    ]  # 500 px, more than half of the frame: no crop


def test_detector_finds_nothing_where_there_is_nothing():
    detector = FaceDetector()
    for shape in [(288, 352, 3), (12, 16, 3)]:
        faces = detector(np.full(shape, 90, np.uint8))
        assert faces.boxes.shape == (0, 4) and faces.probability.shape == (0,)
