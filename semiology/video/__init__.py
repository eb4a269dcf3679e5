"""A video file to frames on a regular grid, and back.

decode.py opens a file and turns packets into frames, losses.py marks the damaged ones,
timestamps.py times them, fields.py makes frames of fields, and image.py upright RGB images of
square pixels; it also distinguishes night infrared from day. reader.py seeks and describes a
video, resample.py puts its frames on a regular grid, writer.py encodes images and copies every
frame of a video at its own time. live.py reads a growing file or a camera in a thread of its own;
prefetch.py holds the threads and queues. recording.py joins many files to one recording; access.py
gives any frame of either by its number.
"""

from semiology.video.decode import Reading, VideoError
from semiology.video.fields import Scan
from semiology.video.reader import VideoInfo
from semiology.video.recording import Part, Recording, probe, scan_fields
from semiology.video.resample import Frame, read_frames
from semiology.video.writer import every_frame, write_copy, write_video

__all__ = [
    "Frame",
    "Part",
    "Reading",
    "Recording",
    "Scan",
    "VideoError",
    "VideoInfo",
    "every_frame",
    "probe",
    "read_frames",
    "scan_fields",
    "write_copy",
    "write_video",
]
