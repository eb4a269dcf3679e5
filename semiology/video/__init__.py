"""A video file to frames on a regular grid, and back.

container.py opens a file, decode.py turns packets into frames in order, source.py gives each its
place (and seeks), grid.py lays them on a regular grid, picture.py makes an upright RGB array of
one, info.py says what a video is, write.py encodes images. copy.py goes past the grid: every frame
of a video at its own time, in and out. live.py reads what still grows, or a camera, in a thread
beside the work.
"""

from semiology.video.decode import VideoError
from semiology.video.reader import Frame, VideoInfo, probe, read_frames
from semiology.video.writer import every_frame, write_copy, write_video

__all__ = [
    "Frame",
    "VideoError",
    "VideoInfo",
    "every_frame",
    "probe",
    "read_frames",
    "write_copy",
    "write_video",
]
