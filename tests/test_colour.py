"""Colours of a frame: RGB by what it declares, against published values; night infrared."""

from itertools import islice

import numpy as np
import pytest
from av import VideoFrame
from av.video.reformatter import VideoReformatter

from semiology.data.preprocessing import infrared
from semiology.data.tracks import make_tracks, read_tracks, save_tracks, time_slice
from semiology.evaluation.audit.confounds import confounds_of
from semiology.tracking.extraction import ExtractSummary
from semiology.tracking.extraction.tracks import FoundFraction
from semiology.video import read_frames, write_video
from semiology.video.colour import chroma, infrared_fraction, is_infrared, to_rgb

# numbers of a frame's colorspace and color_range [ITU-T H.273; FFmpeg]
BT709, UNSPECIFIED, BT601, BT2020 = 1, 2, 5, 9
LIMITED, FULL = 1, 2
# R, G, B of colour bars of 75 %, and their published Y, Cb, Cr of limited range
BARS = {
    (191, 191, 191): {BT601: (180, 128, 128), BT709: (180, 128, 128)},
    (191, 191, 0): {BT601: (162, 44, 142), BT709: (168, 44, 136)},
    (0, 191, 191): {BT601: (131, 156, 44), BT709: (145, 147, 44)},
    (0, 191, 0): {BT601: (112, 72, 58), BT709: (133, 63, 52)},
    (191, 0, 191): {BT601: (84, 184, 198), BT709: (63, 193, 204)},
    (191, 0, 0): {BT601: (65, 100, 212), BT709: (51, 109, 212)},
    (0, 0, 191): {BT601: (35, 212, 114), BT709: (28, 212, 120)},
}
# levels by which FFmpeg's quick ways may be off; two elsewhere
QUICK = {"yuv420p": 3, "yuv422p": 3, "yuva420p": 3, "yuyv422": 4}
FULL_BARS = {(255, 0, 0): (76, 85, 255), (0, 255, 0): (150, 44, 21), (0, 0, 255): (29, 255, 107)}


def planar(
    values: tuple[int, ...], kind: str = "yuv420p", width: int = 64, height: int = 48, **declared
) -> VideoFrame:
    """A frame whose planes hold one value each, of 8 bits or more."""
    frame = VideoFrame(width, height, kind)
    wide = "10" in kind or "12" in kind
    for plane, value in zip(frame.planes, values, strict=True):
        count = plane.buffer_size // (2 if wide else 1)
        plane.update(np.full(count, value, "<u2" if wide else "u1").tobytes())
    for name, value in declared.items():
        setattr(frame, name, value)
    return frame


def rgb_of(frame: VideoFrame) -> list[int]:
    image = to_rgb(VideoReformatter(), frame)
    assert image.shape == (frame.height, frame.width, 3) and image.dtype == np.uint8
    return image[frame.height // 2, frame.width // 2].tolist()


@pytest.mark.parametrize("matrix", [BT601, BT709])
@pytest.mark.parametrize("colour", BARS)
def test_colour_bars_are_converted_by_the_matrix_that_is_declared(colour, matrix):
    bar = BARS[colour][matrix]
    for kind in ("yuv420p", "yuv422p", "yuv444p"):
        frame = planar(bar, kind, colorspace=matrix, color_range=LIMITED)
        assert rgb_of(frame) == pytest.approx(colour, abs=QUICK.get(kind, 2))
    ten_bits = planar(
        tuple(4 * value for value in bar), "yuv420p10le", colorspace=matrix, color_range=LIMITED
    )
    assert rgb_of(ten_bits) == pytest.approx(colour, abs=3)  # dithered


@pytest.mark.parametrize("colour", FULL_BARS)
def test_full_range_is_converted_as_declared_by_range_or_format(colour):
    for kind, declared in (("yuv420p", FULL), ("yuvj420p", 0), ("yuv444p", FULL)):
        frame = planar(FULL_BARS[colour], kind, colorspace=BT601, color_range=declared)
        assert rgb_of(frame) == pytest.approx(colour, abs=2)


def test_the_range_decides_what_grey_is():
    """Limited: (200 - 16) * 255 / 219 = 214.2"""
    assert rgb_of(planar((200, 128, 128), color_range=FULL)) == [200, 200, 200]
    for undeclared in (0, LIMITED):
        grey = rgb_of(planar((200, 128, 128), color_range=undeclared))
        assert grey == pytest.approx([214] * 3, abs=1)


def test_bt2020_red():
    """Y = 16 + 219 * 0.75 * 0.2627, Cb = 128 - 224 * 0.75 * 0.2627 / 1.8814, Cr = 128 + 112 *
    0.75
    """
    for declared in (BT2020, 10):  # of constant luminance: converted by the same weights
        assert rgb_of(planar((59, 105, 212), colorspace=declared)) == pytest.approx(
            (191, 0, 0), abs=3
        )


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [(720, 576, BT601), (1278, 32, BT601), (1280, 32, BT709), (64, 578, BT709)],
)
def test_without_a_declared_matrix_the_size_decides(width, height, matrix):
    for undeclared in (UNSPECIFIED, 3, 8, 11, 14):  # the others FFmpeg does not convert
        frame = planar(BARS[191, 0, 0][matrix], "yuv420p", width, height, colorspace=undeclared)
        assert rgb_of(frame) == pytest.approx((191, 0, 0), abs=2)
        assert frame.colorspace == undeclared
    declared = BT709 if matrix == BT601 else BT601
    frame = planar(BARS[191, 0, 0][declared], "yuv420p", width, height, colorspace=declared)
    assert rgb_of(frame) == pytest.approx((191, 0, 0), abs=2)  # what is declared wins


def test_undeclared_and_bt601_video_of_standard_size_is_what_ffmpeg_makes_of_it():
    noise = np.random.default_rng(0).integers(0, 256, (72 * 3 // 2, 96), dtype=np.uint8)
    for colorspace in (UNSPECIFIED, BT601):
        frame = VideoFrame.from_ndarray(noise, format="yuv420p")
        frame.colorspace = colorspace
        for size in ((None, None), (48, 36), (192, 72)):
            expected = VideoReformatter().reformat(frame, *size, "rgb24").to_ndarray()
            assert np.array_equal(to_rgb(VideoReformatter(), frame, *size), expected)


FORMATS = """
yuv420p yuv422p yuv444p yuvj420p yuvj422p nv12 nv21 yuyv422 yuva420p yuva444p yuv420p10le
yuv422p10le yuv444p12le p010le rgba bgra argb bgr24 rgb24 bgr0 gbrp gbrp10le rgb48le
"""


@pytest.mark.parametrize("kind", FORMATS.split())
def test_formats_come_back_within_two_levels(kind):
    colours = np.array([*BARS, (255, 255, 255), (0, 0, 0), (90, 60, 50)], np.uint8)
    image = np.repeat(np.repeat(colours[None], 16, 0), 16, 1)  # ten squares of 16 px
    frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(format=kind)
    assert frame.format.name == kind
    centres = to_rgb(VideoReformatter(), frame)[8, 8::16]
    assert np.abs(centres.astype(int) - colours).max() <= QUICK.get(kind, 2)


@pytest.mark.parametrize("kind", ["rgba", "bgr24", "gbrp", "gray"])
def test_what_has_no_matrix_is_left_alone_at_any_size(kind):
    frame = VideoFrame.from_ndarray(np.full((16, 1280, 3), 77, np.uint8), format="rgb24")
    frame = frame.reformat(format=kind)
    frame.colorspace = UNSPECIFIED
    assert (to_rgb(VideoReformatter(), frame) == 77).all()


@pytest.mark.parametrize("kind", ["gray", "gray10le", "gray16le", "ya8"])
def test_grey_is_full_unless_it_is_declared_limited(kind):
    grey = np.repeat(np.arange(16, 236, dtype=np.uint8)[None, :, None], 16, 0).repeat(3, 2)
    frame = VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=kind)
    frame.color_range = 0
    assert np.abs(to_rgb(VideoReformatter(), frame).astype(int) - grey).max() <= 1
    frame.color_range = LIMITED
    stretched = to_rgb(VideoReformatter(), frame)[8, :, 0]
    assert (stretched[0], stretched[-1]) == (0, 255)
    assert abs(int(stretched[126 - 16]) - 128) <= 1  # (126 - 16) * 255 / 219 = 128.1


def test_a_palette_is_looked_up():
    palette = np.zeros((256, 4), np.uint8)
    palette[[1, 2]] = [(255, 191, 0, 64), (255, 20, 30, 40)]  # alpha, red, green, blue
    indices = np.ones((16, 16), np.uint8)
    indices[:, 8:] = 2
    image = to_rgb(VideoReformatter(), VideoFrame.from_ndarray((indices, palette), format="pal8"))
    assert image[8, 4].tolist() == [191, 0, 64] and image[8, 12].tolist() == [20, 30, 40]


@pytest.mark.parametrize("suffix", ["mp4", "mpg", "avi", "asf"])
def test_what_is_written_keeps_its_colours_at_any_size(tmp_path, suffix):
    for size in ((96, 128), (720, 1280)):
        image = np.full((*size, 3), (191, 60, 40), np.uint8)
        path = tmp_path / f"{size[0]}.{suffix}"
        write_video(path, [image] * 3, 25)
        read = next(read_frames(path)).image
        assert np.abs(read.mean((0, 1)) - (191, 60, 40)).max() < 4


@pytest.mark.realdata
def test_real_files_of_both_ranges_and_of_ten_bits(testdata):
    """White and black are reached, whatever range and depth the file declares. (In
    bt601_full_range.mp4 the label is wrong: its values are limited, and come out as 12 to 238.)
    """
    folder = testdata / "decoding/torchcodec"

    def first(name):
        return next(read_frames(folder / name)).image.astype(int)

    for name in ("bt601_limited_range.mp4", "bt709_full_range.mp4", "testsrc2_444_10bit_hevc.mp4"):
        image = first(name)
        assert image.min() <= 5 and image.max() >= 250


def test_chroma_is_the_distance_from_grey():
    assert chroma(np.full((48, 64, 3), 77, np.uint8)) == pytest.approx(0, abs=1e-4)
    red = np.zeros((576, 720, 3), np.uint8)
    red[..., 0] = 255
    # Cb = -0.299 * 255 / 1.772 = -43.0, Cr = 0.701 * 255 / 1.402 = 127.5
    assert chroma(red) == pytest.approx(np.hypot(43.03, 127.5), abs=0.1)
    red[:, 360:] = 77
    assert chroma(red) == pytest.approx(np.hypot(43.03, 127.5) / 2, rel=0.05)


def test_infrared_begins_at_grey_and_ends_at_colour():
    day, between, night, missing = 8.0, 1.0, 0.1, np.nan

    def shown(*parts):
        return is_infrared(
            np.repeat(*np.array(parts).T.tolist()[:1], [int(n) for _, n in parts]), 5
        )

    def runs(flags):
        return "".join("N" if flag else "d" for flag in flags)

    assert runs(shown((day, 10), (night, 10), (day, 5))) == "d" * 10 + "N" * 10 + "d" * 5
    assert runs(shown((day, 10), (night, 2), (day, 10))) == "d" * 22  # below half a second
    assert runs(shown((night, 10), (between, 10), (day, 5))) == "N" * 20 + "d" * 5
    assert runs(shown((day, 10), (between, 10), (night, 5))) == "d" * 20 + "N" * 5
    assert runs(shown((between, 10), (night, 5))) == "N" * 15
    assert runs(shown((night, 10), (missing, 3), (day, 10))) == "N" * 13 + "d" * 10
    assert runs(shown((missing, 3), (night, 10))) == "N" * 13
    assert runs(shown((between, 9))) == runs(shown((missing, 9))) == "d" * 9
    assert is_infrared(np.array([]), 25).shape == (0,)
    mixed = np.repeat([day, missing, night], [10, 10, 30])
    assert infrared_fraction(mixed, 5) == 0.75
    assert np.isnan(infrared_fraction(np.full(4, np.nan), 25))


def test_a_room_that_turns_dark_in_mid_clip(tmp_path):
    rng = np.random.default_rng(0)
    images = np.clip(rng.normal((150, 110, 90), 20, (100, 96, 128, 3)), 0, 255).astype(np.uint8)
    images[50:] = images[50:, :, :, 1:2]
    write_video(tmp_path / "a.mpg", images, 25, bit_rate=1_000_000)
    frames = list(read_frames(tmp_path / "a.mpg"))
    flags = is_infrared(np.array([frame.chroma for frame in frames]), 25)
    assert not flags[:48].any() and flags[52:].all() and len(flags) == 100


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    ["people/dance_720x406.mp4", "faces/carphone_176x144.mp4", "faces/WolfgangLanger_Pexels.mp4"],
)
def test_real_clips_are_day_and_in_grey_night(testdata, tmp_path, name):
    images = [frame.image for frame in islice(read_frames(testdata / name), 30)]
    assert not is_infrared(np.array([chroma(image) for image in images]), 25).any()
    dim = [(image * 0.25).astype(np.uint8) for image in images]
    assert not is_infrared(np.array([chroma(image) for image in dim]), 25).any()
    grey = [image[..., 1:2].repeat(3, axis=2) for image in images]
    for suffix in ("mp4", "mpg", "avi", "asf"):
        path = tmp_path / f"grey.{suffix}"
        write_video(path, grey, 25, bit_rate=200_000)
        read = np.array([frame.chroma for frame in read_frames(path)])
        assert infrared_fraction(read, 25) == 1


def night_tracks():
    """Ten seconds at 5 Hz, dark from the fifth second on; found by day only."""
    position = np.full((50, 1, 2), 9.0)
    position[25:] = np.nan
    values = np.repeat([8.0, 0.0], 25)
    return make_tracks(position, ["nose"], 5.0, chroma=values)


def test_tracks_tell_the_fraction_and_the_stretches(tmp_path):
    tracks = night_tracks()
    assert infrared(tracks) == (0.5, [(5.0, 10.0)])
    save_tracks(tracks, tmp_path / "a.nc")
    stored = read_tracks(tmp_path / "a.nc")
    assert infrared(stored) == (0.5, [(5.0, 10.0)])
    assert infrared(time_slice(stored, 4.0, 6.0)) == (0.5, [(1.0, 2.0)])
    without = make_tracks(np.zeros((4, 1, 2)), ["nose"], 5.0)
    assert "chroma" not in without.coords
    fraction, stretches = infrared(without)
    assert np.isnan(fraction) and stretches == []


def test_infrared_is_named_where_little_was_found():
    counted, unknown = FoundFraction(), FoundFraction()
    counted.add(night_tracks().isel(time=slice(0, 30)))
    counted.add(night_tracks().isel(time=slice(30, 50)))
    unknown.add(make_tracks(np.zeros((4, 1, 2)), ["nose"], 5.0))
    assert counted.shares() == {"found": 0.5, "infrared": 0.5}
    assert unknown.shares() == {"found": 1.0, "infrared": None}
    summary = ExtractSummary(
        done=["a", "b", "c"],
        found={"a": {"body": 0.1, "face": 0.9}, "b": {"body": 0.1}, "c": {"body": 0.8}},
        infrared={"a": 0.75, "c": 1.0},
    )
    warnings = [line for line in summary.text().splitlines() if "infrared" in line]
    assert len(warnings) == 1
    assert "a: body found in 10.0% of frames; 75.0% of its frames are night infrared" in warnings[0]


def test_infrared_is_a_confound_of_its_own():
    clips = {
        clip_id: {"participant_id": clip_id, "covariates": {}, "infrared": share}
        for clip_id, share in {"a": 0.0, "b": 1.0, "c": 0.5, "d": None}.items()
    }
    found, _ = confounds_of(clips)
    assert list(found) == ["night infrared"]
    assert found["night infrared"][:, 0].tolist() == [0.0, 1.0, 0.5, 0.5]  # the mean where unknown
