import numpy as np
import pytest

from semiology import UserError, load_skeleton
from semiology.data.skeleton import built_in_skeletons, mirrored_name


def test_the_eleven_joints_and_their_edges_by_name():
    skeleton = load_skeleton("upper_body_11")
    assert len(skeleton.names) == 11 and len(skeleton.edges) == 10
    assert {("left_wrist", "left_elbow"), ("head", "neck"), ("left_hip", "spine_base")} <= set(
        skeleton.edges
    )


def test_the_face_has_23_landmarks_in_the_papers_regions():
    names = load_skeleton("face_23").names
    regions = [sum(part in name for name in names) for part in ("brow", "eye_", "nose", "mouth")]
    assert regions == [6, 8, 3, 6]


@pytest.mark.parametrize("name", built_in_skeletons())
def test_every_built_in_skeleton_is_one_piece_and_mirrors_onto_itself(name):
    skeleton = load_skeleton(name)
    reached = {skeleton.root}
    for _ in skeleton.edges:
        reached |= {joint for edge in skeleton.edges if set(edge) & reached for joint in edge}
    assert reached == set(skeleton.names)
    assert (skeleton.mirrored[skeleton.mirrored] == np.arange(len(skeleton.names))).all()


def test_partitions_of_a_chain_by_hand(tmp_path):
    chain = tmp_path / "chain.yaml"
    chain.write_text(
        "{name: chain, part: body, joints: [a, b, c], edges: [[b, a], [c, b]], root: a, origin:"
        " [a], scale: [a, b]}"
    )
    own, inward, outward = load_skeleton(chain).partitions()
    assert own.tolist() == np.eye(3).tolist()
    assert inward.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]  # b hears a, c hears b
    assert outward.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]  # a hears b, b hears c
    assert load_skeleton(chain).parents.tolist() == [0, 0, 1]


def test_a_joint_with_two_outer_neighbours_hears_their_mean(tmp_path):
    fork = tmp_path / "fork.yaml"
    fork.write_text(
        "{name: fork, part: body, joints: [a, b, c], edges: [[b, a], [c, a]], root: a, origin: [a],"
        " scale: [a, b]}"
    )
    assert load_skeleton(fork).partitions()[2][:, 0].tolist() == [0, 0.5, 0.5]


def test_sides_are_found_wherever_they_stand_in_the_name():
    assert (
        mirrored_name("left_wrist") == "right_wrist"
        and mirrored_name("wrist (right)") == "wrist (left)"
    )
    assert mirrored_name("cleft_lip") == "cleft_lip"


@pytest.mark.parametrize(
    "text, message",
    [
        (
            (
                "{name: x, part: body, joints: [a], edges: [[a, b]], root: a, origin: [a], scale:"
                " [a, a]}"
            ),
            r"not listed: \['b'\]",
        ),
        (
            "{name: x, joints: [a], edges: [], root: a, origin: [a], scale: [a, a], colour: red}",
            r"missing \['part'\], unknown \['colour'\]",
        ),
        ("{name: [", "not valid YAML"),
        (
            "{name: x, part: hand, joints: [a], edges: [], root: a, origin: [a], scale: [a, a]}",
            "part: write body, face or hands, not 'hand'",
        ),
        (
            (
                "{name: x, part: body, joints: [a, b, c, d], edges: [[d, a], [a, b], [b, c],"
                " [c, a]], root: a, origin: [a], scale: [a, b]}"
            ),
            "edges: a, b, c lead around",
        ),
        (
            (
                "{name: x, part: body, joints: [a], edges: [[a, a]], root: a, origin: [a],"
                " scale: [a, a]}"
            ),
            "edges: a lead around",
        ),
    ],
)
def test_a_wrong_skeleton_is_one_clear_line(tmp_path, text, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_skeleton(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_lists_the_built_in_ones():
    with pytest.raises(UserError, match=r"face_23.*upper_body_11"):
        load_skeleton("torso")
