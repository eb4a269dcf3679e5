"""Names of keypoints of MediaPipe and of formats that number theirs; the same point has the same
name in all of them. Sides are the person's.

Sources: [C] OpenPose's documentation of its output (BODY_25, COCO, face), COCO's keypoints, the 68
points of the iBUG 300-W scheme, Halpe-FullBody.
"""

COCO_17 = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
COCO_18 = [
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
]
BODY_25 = [
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "mid_hip",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
]
# "head_top" is the crown; our joint "head" lies between the ears
HALPE_26 = [
    *COCO_17,
    "head_top",
    "neck",
    "mid_hip",
    "left_big_toe",
    "right_big_toe",
    "left_small_toe",
    "right_small_toe",
    "left_heel",
    "right_heel",
]
FACE_68 = [f"landmark_{number:02d}" for number in range(68)]
FACE_70 = [*FACE_68, "right_pupil", "left_pupil"]

# left and right are the person's
BODY_NAMES = """
nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear
right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist
right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip
right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot_index
right_foot_index
"""
BODY = BODY_NAMES.split()
# landmarks of a hand, from the wrist to the tips [C: MediaPipe's hands; OpenPose and COCO-WholeBody
# number the same 21 points]
HAND_NAMES = """
wrist thumb_cmc thumb_mcp thumb_ip thumb_tip index_finger_mcp index_finger_pip index_finger_dip
index_finger_tip middle_finger_mcp middle_finger_pip middle_finger_dip middle_finger_tip
ring_finger_mcp ring_finger_pip ring_finger_dip ring_finger_tip pinky_mcp pinky_pip pinky_dip
pinky_tip
"""
HAND = HAND_NAMES.split()
SIDES = ("left", "right")


def of_hand(side: str, name: str) -> str:
    """The keypoint of one of `HAND` of a side: left_thumb_tip; left_hand_wrist, apart from the
    body's left_wrist.
    """
    return f"{side}_hand_wrist" if name == "wrist" else f"{side}_{name}"


HANDS = [of_hand(side, name) for side in SIDES for name in HAND]
# COCO-WholeBody: body, feet, face, hands [C: its annotations' order, as MMPose writes it]
FEET_6 = [f"{side}_{point}" for side in SIDES for point in ("big_toe", "small_toe", "heel")]
WHOLE_BODY_133 = [*COCO_17, *FEET_6, *FACE_68, *HANDS]
MESH = [f"mesh_{number:03d}" for number in range(478)]  # 468 of the face and 5 of each iris
