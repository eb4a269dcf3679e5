"""Names of keypoints of MediaPipe and of formats that number theirs; the same point has the same
name in all of them. Sides are the person's.

Sources: [C] OpenPose's documentation of its output (BODY_25, COCO, face), COCO's keypoints, the 68
points of the iBUG 300-W scheme.
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
MESH = [f"mesh_{number:03d}" for number in range(478)]  # 468 of the face and 5 of each iris
