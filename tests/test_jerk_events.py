"""Jerks of one moment, true jerks against found ones, and jerks in tables."""

import dataclasses

import numpy as np
import pytest

from semiology.errors import UserError
from semiology.severity.jerks import (
    DetectedJerks,
    Jerk,
    by_part,
    jerk_table,
    match_jerks,
    read_jerks,
    synchronous,
    write_jerks,
)
from semiology.severity.kinematics import segment_of, side_of


def jerk(joint: str, onset: float, amplitude: float = 0.05, snr: float = 8.0) -> Jerk:
    """Its peak is 0.06 s after its onset."""
    return Jerk(
        joint,
        segment_of(joint),
        side_of(joint),
        onset,
        onset + 0.06,
        0.2,
        amplitude,
        (1.0, 0.0),
        snr,
    )


def test_two_joints_at_once_are_one_event():
    events = synchronous(
        [jerk("right_wrist", 2.05), jerk("left_wrist", 2.0), jerk("left_wrist", 3.0)]
    )
    assert [event.onset for event in events] == [2.0, 3.0]
    assert [one.joint for one in events[0].jerks] == ["left_wrist", "right_wrist"]
    assert events[0].leading == "left_wrist"


def test_an_event_does_not_grow_from_jerk_to_jerk_nor_hold_a_joint_twice():
    chain = [jerk("left_wrist", 1.0), jerk("right_wrist", 1.08), jerk("nose", 1.16)]
    assert [len(event.jerks) for event in synchronous(chain)] == [2, 1]
    assert [len(event.jerks) for event in synchronous(chain, within=0.2)] == [3]
    assert [len(event.jerks) for event in synchronous([jerk("nose", 1.0), jerk("nose", 1.05)])] == [
        1,
        1,
    ]
    assert synchronous([]) == []


def test_of_joints_that_begin_together_the_loudest_leads():
    (event,) = synchronous(
        [
            jerk("left_wrist", 1.00, snr=9),
            jerk("left_elbow", 1.03, snr=20),
            jerk("left_shoulder", 1.08, snr=40),
        ]
    )
    assert event.leading == "left_elbow"
    assert event.amplitude == 0.05


@pytest.mark.parametrize(
    ("joints", "extent"),
    [
        (["left_wrist", "left_elbow"], "focal"),
        (["left_shoulder", "left_elbow"], "segmental"),  # trunk and arm
        (["nose", "left_ear"], "segmental"),  # face and neck
        (["left_wrist", "right_wrist"], "multifocal"),
        (["left_wrist", "right_wrist", "left_shoulder"], "segmental"),  # joined by the trunk
        (["nose", "left_wrist"], "multifocal"),
        (["left_wrist", "left_ankle"], "multifocal"),
        (["left_wrist", "left_ankle", "left_hip"], "segmental"),  # one side, joined by the trunk
        (["left_wrist", "right_ankle"], "generalised"),
        (
            ["nose", "left_hip", "left_wrist", "right_wrist", "left_ankle", "right_ankle"],
            "generalised",
        ),
    ],
)
def test_how_far_it_reaches(joints, extent):
    (event,) = synchronous([jerk(joint, 1.0) for joint in joints])
    assert event.extent == extent


def test_a_part_counts_once_by_its_greatest():
    hand = [
        jerk("left_wrist", 1.0, 0.05),
        jerk("left_index", 1.0, 0.08),
        jerk("left_elbow", 1.04, 0.02),
        jerk("right_wrist", 1.0, 0.01),
    ]
    assert [(one.joint, one.amplitude) for one in by_part(hand)] == [
        ("left_index", 0.08),
        ("right_wrist", 0.01),
    ]


def test_matching_is_one_to_one_by_joint_and_peak():
    truth = [
        jerk("left_wrist", 1.0),
        jerk("left_wrist", 2.0),
        jerk("right_wrist", 3.0),
        jerk("nose", 4.0),
    ]
    found = [
        jerk("left_wrist", 0.94),  # farther from the first
        jerk("left_wrist", 1.02),  # the first
        jerk("left_wrist", 2.15),  # too late for the second
        jerk("left_elbow", 3.0),  # another joint
        jerk("nose", 4.1),  # just within
    ]
    matched = match_jerks(truth, found)
    assert [(true.onset, other.onset) for true, other in matched.pairs] == [(1.0, 1.02), (4.0, 4.1)]
    assert [one.onset for one in matched.misses] == [2.0, 3.0]
    assert sorted(one.onset for one in matched.false_alarms) == [0.94, 2.15, 3.0]
    assert (matched.sensitivity, matched.precision, matched.f1) == pytest.approx(
        (2 / 4, 2 / 5, 4 / 9)
    )
    assert match_jerks(truth, found, tolerance=0.2).sensitivity == pytest.approx(3 / 4)


def test_as_many_as_can_be_are_paired():
    """The nearest pair (1.06, 1.05) would leave two alone."""
    matched = match_jerks(
        [jerk("nose", 1.00), jerk("nose", 1.06)], [jerk("nose", 1.05), jerk("nose", 1.15)]
    )
    assert [(true.onset, other.onset) for true, other in matched.pairs] == [
        (1.0, 1.05),
        (1.06, 1.15),
    ]


def test_matching_by_part_joins_a_limbs_joints():
    truth = [jerk("left_wrist", 1.0), jerk("left_elbow", 1.0)]
    found = [jerk("left_index", 1.02), jerk("left_wrist", 1.02)]
    assert len(match_jerks(truth, found).pairs) == 1
    matched = match_jerks(truth, found, by="part")
    assert (len(matched.pairs), matched.misses, matched.false_alarms) == (1, [], [])


def test_nothing_to_match():
    nothing = match_jerks([], [])
    assert np.isnan([nothing.sensitivity, nothing.precision, nothing.f1]).all()
    assert match_jerks([], [jerk("nose", 1.0)]).f1 == 0


def test_a_table_is_read_as_it_was_written(tmp_path):
    jerks = [
        jerk("left_wrist", 1.25, 0.0625, 8.5),
        Jerk("tail", "", "", 0.5, 0.56, 0.2, 0.02, (0.0, 0.6, -0.8), 7.25),
        Jerk("nose", "face", "", 2.0, 2.06, 0.12),
    ]
    write_jerks(tmp_path / "jerks.tsv", jerks)
    lines = (tmp_path / "jerks.tsv").read_text().splitlines()
    columns = "joint segment side onset peak duration amplitude direction_x direction_y direction_z"
    assert lines[0].split("\t") == [*columns.split(), "snr"]
    cells = "left_wrist left_arm left 1.2500 1.3100 0.2000 0.062500 1.0000 0.0000 n/a 8.50"
    assert lines[2].split("\t") == cells.split()
    read = read_jerks(tmp_path / "jerks.tsv")
    assert read[:2] == [jerks[1], jerks[0]]
    assert dataclasses.astuple(read[2])[:6] == dataclasses.astuple(jerks[2])[:6]
    assert (np.isnan(read[2].amplitude), read[2].direction) == (True, ())
    table = jerk_table(DetectedJerks(jerks, {}, {}, {}, 100.0, 25.0, 6.0))
    assert list(table.columns) == lines[0].split("\t")
    assert table["amplitude"].tolist()[:2] == [0.0625, 0.02]
    assert np.isnan(table["direction_z"].iloc[0])


def test_a_table_without_jerks(tmp_path):
    write_jerks(tmp_path / "none.tsv", [])
    assert read_jerks(tmp_path / "none.tsv") == []
    empty = jerk_table(DetectedJerks([], {}, {}, {}, 100.0, 25.0, 6.0))
    assert (len(empty), empty["onset"].dtype) == (0, float)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("joint\tonset\tpeak\nnose\t1\t1.1\n", ': row 1, column "duration":'),
        (
            "joint\tonset\tpeak\tduration\nnose\tsoon\t1.1\t0.2\n",
            ": row 2, column \"onset\": 'soon' is not a number",
        ),
        ("joint\tonset\tpeak\tduration\nnose\t1\tn/a\t0.2\n", ': row 2, column "peak":'),
        ("joint\tonset\tpeak\tduration\nn/a\t1\t1.1\t0.2\n", ': row 2, column "joint":'),
        ("joint\tonset\tpeak\tduration\nnose\t1\t1.1\t-0.2\n", ': row 2, column "duration":'),
        ("joint,onset,peak,duration\nnose,1,1.1,0.2\n", ""),
    ],
)
def test_an_error_in_a_table_names_file_row_and_column(tmp_path, text, where):
    path = tmp_path / "jerks.tsv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_jerks(path)
    assert f"{path}{where}" in str(error.value)


def test_a_missing_table_of_jerks_is_named(tmp_path):
    with pytest.raises(UserError, match=r"other\.tsv"):
        read_jerks(tmp_path / "other.tsv")
