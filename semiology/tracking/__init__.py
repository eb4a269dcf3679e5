"""From frames to keypoints: find the patient (patient.py, mtcnn.py), joints and landmarks (pose/),
joints in space (lift/), extraction of whole cohorts (extraction/); labelled frames (labels/), the
error of tracks against them (tracking_error.py), fine-tuning (finetune/), and copies of videos with
heads covered (deidentify/). boxes.py is the geometry of boxes.
"""
