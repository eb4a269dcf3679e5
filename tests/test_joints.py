"""The detectors' geometry, networks and boxes: values that can be worked out by hand."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from torchvision.models import mobilenet_v3_large, resnet50
from torchvision.models.detection import keypointrcnn_resnet50_fpn
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.keypoint_rcnn import KeypointRCNN
from torchvision.ops import FrozenBatchNorm2d

from semiology.data.keypoint_names import COCO_17
from semiology.errors import UserError
from semiology.tracking.boxes import iou
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose.joint_network import (
    JointNetwork,
    crop_matrix,
    locate,
    to_image,
    to_unit,
    warp,
)
from semiology.tracking.pose.keypoint_rcnn import PatientBox, choose_patient
from semiology.tracking.pose.ssd import coco_network, region_network, start_from_coco


def location(face=None, others=(), time=0.0) -> PatientLocation:
    face = None if face is None else np.array(face, float)
    return PatientLocation(
        time, np.array([0.0, 0, 640, 360]), face, 0.9, 40.0, np.array(others, float).reshape(-1, 4)
    )


def test_the_square_around_a_box_and_its_way_back():
    matrix = crop_matrix(
        np.array([100.0, 200, 140, 280]), 1.5
    )  # 40 wide, 80 high: a square of 120 around (120, 240)
    np.testing.assert_allclose(matrix, [[120, 0, 60], [0, 120, 180]])
    np.testing.assert_allclose(
        to_image(matrix, np.array([[0, 0], [0.5, 0.5], [1, 1]])),
        [[60, 180], [120, 240], [180, 300]],
    )
    np.testing.assert_allclose(
        to_unit(matrix, np.array([[60.0, 180], [150, 210]])), [[0, 0], [0.75, 0.25]]
    )


def test_what_is_cut_out_holds_what_was_there_also_when_it_shrinks():
    image = np.zeros((400, 600, 3), np.uint8)
    image[100:200, 300:400, 0] = 250  # a red square of 100 px
    same = warp(image, crop_matrix(np.array([300.0, 100, 400, 200]), 1.0), 100)
    assert (same[..., 0] == 250).all() and (same[..., 1:] == 0).all()
    small = warp(
        image, crop_matrix(np.array([250.0, 50, 450, 250]), 1.0), 20
    )  # ten px become one; red from 5 to 15
    assert (
        (small[6:14, 6:14, 0] == 250).all() and (small[:4] == 0).all() and (small[16:] == 0).all()
    )
    beyond = warp(image, crop_matrix(np.array([-100.0, -100, 0, 0]), 1.0), 10)
    assert (beyond == 0).all()


def test_a_heatmaps_peak_is_found_between_its_bins_and_its_mass_is_the_confidence():
    logits = torch.full((1, 2, 56, 56), -50.0)
    logits[0, 0, 10, 20] = logits[0, 0, 10, 21] = 10.0  # halfway between two bins
    logits[0, 1, 40, 5] = logits[0, 1, 5, 50] = 10.0  # two places, equally likely
    position, confidence = locate(logits)
    np.testing.assert_allclose(position[0, 0], [21 / 56, 10.5 / 56], atol=1e-6)
    np.testing.assert_allclose(confidence[0], [1.0, 0.5], atol=1e-5)


@pytest.mark.parametrize("backbone, bins", [("mobilenet_v3_large", 112), ("resnet50", 56)])
def test_every_backbone_gives_one_heatmap_a_joint(backbone, bins):
    network = JointNetwork(["left_wrist", "head", "neck"], backbone).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 3, 128, 128)).shape == (2, 3, bins, bins)


def published_keypoint_rcnn() -> dict[str, torch.Tensor]:
    """Parameters as torchvision's COCO file names them: batch norms frozen, and the pyramid by the
    names of its time.
    """
    frozen = partial(FrozenBatchNorm2d, eps=0.0)
    made = KeypointRCNN(
        resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=frozen),
        2,
        num_keypoints=17,
    )
    state = {
        re.sub(r"(fpn\.\w+_blocks\.\d)\.0\.", r"\1.", name): value
        for name, value in made.state_dict().items()
    }
    keypointrcnn_resnet50_fpn(weights=None, weights_backbone=None).load_state_dict(
        state, strict=False
    )  # torchvision reads these names too
    return state


def test_torchvisions_published_weights_fit_and_joints_are_taken_by_name():
    published = published_keypoint_rcnn()
    assert "backbone.fpn.inner_blocks.0.weight" in published and not any(
        "num_batches_tracked" in name for name in published
    )
    network = JointNetwork(["right_wrist", "spine_base", "nose"], "resnet50")
    before = network.state_dict()["keypoint_predictor.kps_score_lowres.weight"].clone()
    assert network.start_from(published, COCO_17) == ["right_wrist", "nose"]
    after = network.state_dict()
    heat = after["keypoint_predictor.kps_score_lowres.weight"]
    theirs = published["roi_heads.keypoint_predictor.kps_score_lowres.weight"]
    assert (heat[:, 0] == theirs[:, COCO_17.index("right_wrist")]).all() and (
        heat[:, 2] == theirs[:, 0]
    ).all()
    assert (heat[:, 1] == before[:, 1]).all()  # COCO has no spine base
    assert (after["backbone.body.conv1.weight"] == published["backbone.body.conv1.weight"]).all()
    assert (
        after["backbone.fpn.layer_blocks.3.0.bias"] == published["backbone.fpn.layer_blocks.3.bias"]
    ).all()


def test_a_backbone_starts_from_a_published_classifier():
    network = JointNetwork(["nose"])
    network.start_from_imagenet(mobilenet_v3_large(weights=None).state_dict())
    resnet = JointNetwork(["nose"], "resnet50")
    state = resnet50(weights=None).state_dict()
    resnet.start_from_imagenet(state)
    assert (
        resnet.state_dict()["backbone.body.layer4.2.conv3.weight"] == state["layer4.2.conv3.weight"]
    ).all()
    with pytest.raises(UserError, match="another network than mobilenet_v3_large"):
        network.start_from_imagenet(state)


def test_weights_of_another_network_are_refused():
    published = published_keypoint_rcnn()
    with pytest.raises(UserError, match="another network than mobilenet_v3_large"):
        JointNetwork(["nose"]).start_from(published, COCO_17)
    with pytest.raises(UserError, match="not in SSDLite320"):
        start_from_coco(region_network(), published)
    with pytest.raises(UserError, match="there are mobilenet_v3_large, resnet50"):
        JointNetwork(["nose"], "vgg")


def test_the_patients_class_starts_as_cocos_person():
    coco, ours = coco_network(), region_network(2)
    start_from_coco(ours, coco.state_dict())
    name = "head.classification_head.module_list.0.1.weight"
    theirs, mine = (
        coco.state_dict()[name].unflatten(0, (-1, 91)),
        ours.state_dict()[name].unflatten(0, (-1, 3)),
    )
    assert (mine[:, :2] == theirs[:, :2]).all()  # background and person
    assert (
        ours.state_dict()["backbone.features.0.0.0.weight"]
        == coco.state_dict()["backbone.features.0.0.0.weight"]
    ).all()


def test_overlap_of_boxes():
    assert iou(np.array([0, 0, 10, 10]), np.array([5, 0, 15, 10])) == pytest.approx(50 / 150)
    assert iou(np.array([0, 0, 10, 10]), np.array([20, 0, 30, 10])) == 0


def test_the_patient_is_the_person_at_the_patients_face():
    nurse, patient = np.array([0.0, 0, 100, 300]), np.array([200.0, 0, 300, 300])
    boxes, scores = np.stack([nurse, patient]), np.array([0.9, 0.6])
    assert choose_patient(boxes, scores, location([240, 20, 260, 40]), None) is not None
    np.testing.assert_array_equal(
        choose_patient(boxes, scores, location([240, 20, 260, 40]), None), patient
    )
    np.testing.assert_array_equal(
        choose_patient(boxes, scores, location(others=[[40, 20, 60, 40]]), None), patient
    )
    np.testing.assert_array_equal(choose_patient(boxes, scores, location(), patient + 5), patient)
    np.testing.assert_array_equal(
        choose_patient(boxes, scores, location(), None), nurse
    )  # nothing else is known: the best
    assert choose_patient(boxes, scores, location([500, 20, 520, 40]), None) is None
    assert choose_patient(boxes, scores, location(), np.array([400.0, 0, 500, 300])) is None


def test_a_box_is_carried_between_looks_and_for_a_second_after_the_last_one():
    carried, image, box = (
        PatientBox(2),
        np.zeros((360, 640, 3), np.uint8),
        np.array([[0.0, 0, 100, 300]]),
    )
    there, gone = {"patient": (box, np.array([0.9]))}, {"patient": (np.zeros((0, 4)), np.zeros(0))}
    assert [carried.is_due(ahead) for ahead in range(4)] == [True, False, True, False]
    for time, regions, expected in [
        (0.0, there, True),
        (0.1, None, True),
        (0.9, gone, True),
        (1.0, None, True),
        (1.1, gone, False),
    ]:
        found, _ = carried.follow(image, location(time=time), regions, True)
        assert (found is not None) == expected
    whole, _ = carried.follow(image, location(), None, has_regions=False)
    np.testing.assert_array_equal(whole, [0, 0, 640, 360])
