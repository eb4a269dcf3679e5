"""What a video is, at a glance."""

from dataclasses import dataclass
from pathlib import Path

from semiology.video.container import NOTHING_DECODES, VideoError, header_duration, open_video
from semiology.video.decode import in_order
from semiology.video.picture import Converter, rotation


@dataclass(frozen=True)
class VideoInfo:
    """What a video is. Size, rotation and start come from its frames, the rest from the header, as far as it can be believed."""

    width: int  # px, after rotation
    height: int  # px, after rotation
    fps: float | None  # Hz; None where the header gives none or an absurd one
    start: float  # s, timestamp of the first frame; every other time in this package counts from there
    duration: float | None  # s; None where the header gives none
    rotation: int  # degrees clockwise by which the stored picture is turned to stand upright: 0, 90, 180 or 270
    pixel_aspect: float  # width of a pixel over its height; not applied: the paper leaves resolutions unchanged [P]
    codec: str
    container: str


def probe(path: str | Path) -> VideoInfo:
    """Open a video and decode its first whole frame.

    Raises:
        VideoError: the file is absent, empty, no video, or no frame of it decodes.
    """
    with open_video(path) as (container, stream):
        start = None
        for seconds, _, picture in in_order(container, stream):
            start = seconds if start is None else start
            if picture is not None:
                break
        else:
            raise VideoError(path, NOTHING_DECODES)
        height, width = Converter()(picture).shape[:2]
        rate = float(stream.average_rate or 0)
        names = container.format.name.split(",")  # "mov,mp4,m4a,...": one reader, several containers
        suffix = Path(path).suffix.lower().lstrip(".")
        return VideoInfo(
            width=width,
            height=height,
            fps=rate if 0.1 <= rate <= 1000 else None,
            start=start,
            duration=header_duration(container, stream),
            rotation=rotation(picture),
            pixel_aspect=float(stream.sample_aspect_ratio or 1),
            codec=stream.codec_context.name,
            container=suffix if suffix in names else names[0],
        )
