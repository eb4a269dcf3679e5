"""A video file to frames on a regular grid, and back.

decode.py opens a file and turns packets into frames in order, reader.py numbers them (and seeks)
and describes a video, resample.py puts them on a regular grid, writer.py encodes images and copies
every frame of a video at its own time. live.py reads a growing file or a camera in a thread of its
own; prefetch.py holds the threads and queues; recording.py joins many files to one recording.
"""

from semiology.video.decode import VideoError
from semiology.video.reader import VideoInfo
from semiology.video.recording import Part, Recording, probe
from semiology.video.resample import Frame, read_frames
from semiology.video.writer import every_frame, write_copy, write_video

__all__ = [
    "Frame",
    "Part",
    "Recording",
    "VideoError",
    "VideoInfo",
    "every_frame",
    "probe",
    "read_frames",
    "write_copy",
    "write_video",
]
