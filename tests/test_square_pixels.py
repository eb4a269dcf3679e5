"""Square pixels: a disc that a recorder squeezed is round again, whoever states the ratio."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from semiology.data.cohort import Clip, Cohort, check_cohort
from semiology.data.pixels import in_square_pixels, in_stored_pixels, reading_of
from semiology.data.store import Store, clip_tracks
from semiology.data.tracks import make_tracks, save_tracks, steps
from semiology.errors import UserError
from semiology.tracking.extraction import ExtractOptions, extract_cohort, extract_tracks
from semiology.video import Reading, VideoError, every_frame, probe, read_frames
from semiology.video.image import likely_aspect, parse_aspect, square_size

PAL_WIDE, PAL = Fraction(32, 11), Fraction(24, 11)


def disc(width, height, aspect, radius=0.3):
    """A white disc, round in square pixels, in the middle of a stored image of such pixels."""
    y, x = np.mgrid[:height, :width]
    wide, high = (float(aspect), 1.0) if aspect >= 1 else (1.0, 1 / float(aspect))
    x, y = (x + 0.5 - width / 2) * wide, (y + 0.5 - height / 2) * high
    within = x**2 + y**2 < (radius * min(width * wide, height * high)) ** 2
    return np.repeat((within * 200 + 20).astype(np.uint8)[:, :, None], 3, axis=2)


def write(path, images, codec, container, aspect=None):
    with av.open(str(path), "w", format=container) as target:
        stream = None
        for number, image in enumerate(images):
            if stream is None:
                stream = target.add_stream(codec, rate=25)
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
                stream.bit_rate = 2_000_000
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def extent(image):
    """Width and height, px, of what is bright."""
    bright = image[:, :, 1] > 120
    return bright.any(axis=0).sum(), bright.any(axis=1).sum()


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("a.mpg", "mpeg2video", "mpeg"),
        ("a.avi", "mpeg4", "avi"),
        ("a.asf", "wmv2", "asf"),
        ("a.mp4", "libx264", "mp4"),
        ("a.ts", "libx264", "mpegts"),
        ("a.mkv", "libx264", "matroska"),
    ],
)
@pytest.mark.parametrize("aspect", [PAL_WIDE, PAL])
def test_a_squeezed_disc_is_round(tmp_path, name, codec, container, aspect):
    path = write(tmp_path / name, [disc(352, 576, aspect)] * 3, codec, container, aspect)
    info = probe(path)
    assert (info.stored_width, info.stored_height) == (352, 576)
    assert info.pixel_aspect == aspect and info.likely_aspect is None
    assert (info.width, info.height) == (round(352 * aspect), 576)
    image = next(every_frame(path)).image
    assert image.shape == (576, round(352 * aspect), 3)
    wide, high = extent(image)
    assert wide == pytest.approx(0.6 * 576, abs=4) and high == pytest.approx(0.6 * 576, abs=4)


def test_pixels_higher_than_wide_make_the_image_higher(tmp_path):
    aspect = Fraction(6, 11)  # 704x288
    path = write(tmp_path / "a.mp4", [disc(704, 288, aspect)] * 2, "libx264", "mp4", aspect)
    image = next(every_frame(path)).image
    assert image.shape == (528, 704, 3)
    assert extent(image)[0] == pytest.approx(extent(image)[1], abs=3)


def test_a_given_ratio_stands_in_for_one_that_is_not_stated(tmp_path):
    path = write(tmp_path / "a.avi", [disc(352, 576, PAL)] * 2, "mjpeg", "avi")
    assert probe(path).pixel_aspect == 1 and probe(path).likely_aspect == "24:11"
    reading = Reading(pixel_aspect="24:11")
    assert probe(path, reading).likely_aspect is None
    image = next(read_frames(path, reading=reading)).image
    assert image.shape == (576, 768, 3)
    assert extent(image)[0] == pytest.approx(extent(image)[1], abs=3)


def test_square_pixels_stay_as_they_are(tmp_path):
    path = write(tmp_path / "a.mp4", [disc(640, 480, 1)] * 2, "libx264", "mp4")
    assert probe(path).likely_aspect is None
    with av.open(str(path)) as container:
        plain = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.array_equal(next(every_frame(path)).image, plain)


def test_a_ratio_that_changes_in_mid_file_keeps_discs_round(tmp_path):
    """Two recordings in one TS, 4:3 and then 16:9: the second is fitted into the first's size."""
    one = write(tmp_path / "1.ts", [disc(352, 576, PAL)] * 12, "libx264", "mpegts", PAL)
    two = write(tmp_path / "2.ts", [disc(352, 576, PAL_WIDE)] * 12, "libx264", "mpegts", PAL_WIDE)
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() + two.read_bytes())
    images = [frame.image for frame in every_frame(both)]
    assert len(images) == 24 and {image.shape for image in images} == {(576, 768, 3)}
    wide, high = extent(images[-1])
    assert wide == pytest.approx(high, abs=4) and high == pytest.approx(0.6 * 432, abs=4)
    assert images[-1][:60].max() < 40 and images[-1][-60:].max() < 40  # black above and below


def stating(path, width, height):
    """An MP4 whose header states pixels of this width and height."""
    aspect = Fraction(12, 11)
    write(path, [disc(64, 48, 1)] * 2, "mjpeg", "mp4", aspect)
    content = path.read_bytes()
    at = content.index(b"pasp") + 4
    assert struct.unpack(">II", content[at : at + 8]) == (12, 11)
    path.write_bytes(content[:at] + struct.pack(">II", width, height) + content[at + 8 :])
    return path


@pytest.mark.parametrize(("width", "height"), [(1000, 1), (1, 1000), (9, 1)])
def test_a_ratio_that_no_camera_has_is_refused_and_can_be_set_right(tmp_path, width, height):
    path = stating(tmp_path / "a.mp4", width, height)
    for read in (probe, lambda path: next(read_frames(path))):
        with pytest.raises(VideoError, match=f"{width}:{height}.*--pixel_aspect"):
            read(path)
    assert probe(path, Reading(pixel_aspect="1:1")).width == 64
    assert list(read_frames(path, reading=Reading(pixel_aspect="1:1")))[-1].image is not None
    tracks = extract_tracks(path, options=ExtractOptions(pixel_aspect="1:1"))["body"]
    assert (tracks.attrs["width"], tracks.attrs["pixel_aspect"]) == (64, "1:1")


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 1), (1, 0)])
def test_a_ratio_of_nothing_leaves_the_codecs_own(tmp_path, width, height):
    path = stating(tmp_path / "a.mp4", width, height)  # its JPEGs state 12:11
    assert probe(path).pixel_aspect == Fraction(12, 11)


@pytest.mark.parametrize("text", ["0:0", "4", "1.5:1", "-1:2", "a:b", "1000:1", "1:1000", ""])
def test_a_ratio_that_cannot_be_given(text):
    with pytest.raises(UserError, match="pixel_aspect"):
        ExtractOptions(pixel_aspect=text)


def test_likely_ratios_and_sizes():
    assert likely_aspect(704, 576, Fraction(1)) == "12:11"
    assert likely_aspect(704, 576, Fraction(16, 11)) is None
    assert likely_aspect(1280, 720, Fraction(1)) is None
    assert square_size(352, 288, parse_aspect("12:11")) == (384, 288)
    assert square_size(720, 480, parse_aspect("8:9")) == (720, 540)


def test_tracks_record_how_they_were_read_and_give_stored_pixels(tmp_path):
    path = write(tmp_path / "a.avi", [disc(176, 288, PAL)] * 4, "mjpeg", "avi")
    tracks = extract_tracks(path, options=ExtractOptions(pixel_aspect="24:11"))["body"]
    expected = {
        "pixels": "square",
        "pixel_aspect": "24:11",
        "stored_width": 176,
        "stored_height": 288,
        "width": 384,
        "height": 288,
        "fields": "progressive",
    }
    assert {name: tracks.attrs[name] for name in expected} == expected
    assert reading_of(tracks) == Reading(pixel_aspect="24:11")


def test_stored_pixels_by_hand():
    points = np.array([[[240.0, 100.0], [np.nan, np.nan]]])
    tracks = make_tracks(points, ["nose", "left_wrist"], 25, width=768, height=576)
    wide = tracks.assign_attrs(pixels="square", pixel_aspect="24:11")
    stored = in_stored_pixels(wide)
    assert stored.position.values[0, :, 0] == pytest.approx([110, 100])
    assert (stored.attrs["width"], stored.attrs["height"]) == (352, 576)
    assert steps(stored)[-1]["step"] == "in_stored_pixels"
    high = tracks.assign_attrs(pixels="square", pixel_aspect="1:2")
    assert in_stored_pixels(high).position.values[0, :, 0] == pytest.approx([240, 50])
    back = in_square_pixels(stored, "24:11")
    assert back.position.values[0, :, 0] == pytest.approx([240, 100])
    assert (back.attrs["width"], back.attrs["height"]) == (768, 576)
    with pytest.raises(UserError, match="stored pixels"):
        in_square_pixels(back, "24:11")
    for wrong in (tracks, stored):
        with pytest.raises(UserError, match="square pixels"):
            in_stored_pixels(wrong)


def test_a_clip_of_a_cohort_has_its_own_ratio(tmp_path):
    """Of two clips without a ratio in their headers, the table states one."""
    for name in ("a.avi", "b.avi"):
        write(tmp_path / name, [disc(352, 288, Fraction(12, 11))] * 3, "mjpeg", "avi")
    (tmp_path / "participants.tsv").write_text("participant_id\np1\n")
    (tmp_path / "clips.tsv").write_text(
        "clip_id\tparticipant_id\tvideo\tstart\tend\tpixel_aspect\n"
        "a\tp1\ta.avi\t0\tn/a\t12:11\nb\tp1\tb.avi\t0\tn/a\tn/a\n"
    )
    (tmp_path / "clips.json").write_text("{}")
    report = check_cohort(tmp_path)
    assert report.resolutions == {"384x288": 1, "352x288": 1}
    assert "352x288 pixels of 12:11" in report.recorded["a"]
    assert [note for note in report.notes if "12:11" in note and " in b," in note]
    for _ in range(2):  # the second time nothing is extracted
        summary = extract_cohort(Cohort.read(tmp_path), tmp_path / "store", progress=False)
        assert summary.likely_aspect == {"b": "12:11"}
    assert "--pixel_aspect 12:11" in summary.text()
    tracks = {name: Store(tmp_path / "store").tracks(name, "body").attrs for name in ("a", "b")}
    assert (tracks["a"]["width"], tracks["a"]["pixel_aspect"]) == (384, "12:11")
    assert (tracks["b"]["width"], tracks["b"]["pixel_aspect"]) == (352, "1:1")
    (tmp_path / "clips.tsv").write_text(
        "clip_id\tparticipant_id\tvideo\tstart\tend\tpixel_aspect\na\tp1\ta.avi\t0\tn/a\t4to3\n"
    )
    with pytest.raises(UserError, match='row 2, column "pixel_aspect"'):
        Cohort.read(tmp_path)


def test_tracks_in_oblong_pixels_are_no_clips_own(tmp_path):
    points = make_tracks(np.full((5, 1, 2), 10.0), ["nose"], 25.0, width=352, height=576)
    square = in_square_pixels(points, "24:11")
    save_tracks(in_stored_pixels(square), tmp_path / "oblong.nc")
    save_tracks(square, tmp_path / "square.nc")
    assert clip_tracks(tmp_path, clip("square.nc"), None, "body").attrs["width"] == 768
    with pytest.raises(UserError, match="in stored pixels of 24:11; make them square"):
        clip_tracks(tmp_path, clip("oblong.nc"), None, "body")


def clip(tracks):
    return Clip(clip_id="c1", participant_id="P1", tracks=tracks, start="0", end="")
