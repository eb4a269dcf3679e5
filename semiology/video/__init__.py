"""A video file to frames on a regular grid, and back.

decode.py: a file to its source frames, in order, with time and index. grid.py: source frames to 25 frames a second. write.py: images to a file.
"""

from semiology.video.decode import VideoError, VideoInfo, probe
from semiology.video.grid import Frame, read_frames
from semiology.video.write import write_video

__all__ = ["Frame", "VideoError", "VideoInfo", "probe", "read_frames", "write_video"]
