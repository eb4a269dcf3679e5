"""A frame that was lost on its way: what was predicted from it is damaged up to the next key frame
or the end of a gradual refresh. A frame that the recorder left out before encoding is a hole only.
"""

from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import VIDEOS, Coding, number_of, write, x264, x265

from semiology.data.cohort import Cohort, check_cohort
from semiology.tracking.extraction import extract_cohort
from semiology.video import every_frame, probe, read_frames
from semiology.video.losses import frame_numbers
from semiology.video.reader import Damage

KEY = 24  # frames from key frame to key frame
CODINGS = {
    "h264": Coding("matroska", "libx264", options=x264(0, KEY)),
    "h264_b3": Coding("matroska", "libx264", options=x264(3, KEY)),
    "h264_b3.mp4": Coding("mp4", "libx264", options=x264(3, KEY)),
    "h264_b3.ts": Coding("mpegts", "libx264", options=x264(3, KEY)),
    "hevc_b3": Coding("matroska", "libx265", options=x265(3, KEY)),
    "hevc_b3.ts": Coding("mpegts", "libx265", options=x265(3, KEY)),
    "mpeg2": Coding("matroska", "mpeg2video", gop=KEY),
    "mpeg2_b2": Coding("matroska", "mpeg2video", 2, gop=KEY),
    "mpeg2_b2.ts": Coding("mpegts", "mpeg2video", 2, gop=KEY),
    "mpeg1_b2": Coding("matroska", "mpeg1video", 2, gop=KEY),
}


def read(path: Path) -> list[tuple[int, int | None, bool]]:
    """(place by its time at 25 Hz, number shown, whole) of each frame."""
    return [
        (
            round(25 * frame.time),
            None if frame.image is None else number_of(frame.image),
            frame.image is not None,
        )
        for frame in every_frame(path)
    ]


def without(*lost: int):
    """Of the coded packets all but these, in decoding order."""
    return lambda packets: [packet for n, packet in enumerate(packets) if n not in lost]


@pytest.mark.parametrize("name", CODINGS)
def test_what_follows_a_lost_frame_is_damaged_up_to_the_next_key_frame(tmp_path, name):
    path, places = tmp_path / "lost", {}

    def lose(packets):
        order = sorted(packet.pts for packet in packets)
        shown = [order.index(packet.pts) for packet in packets]
        # the first frame after the tenth packet that is shown later than all before it
        at = next(n for n in range(10, len(shown)) if shown[n] > max(shown[:n]))
        later = [place for place in range(at, len(shown)) if packets[place].is_keyframe]
        places["lost"], places["key"] = shown[at], shown[later[0]] if later else 60
        return without(at)(packets)

    write(path, CODINGS[name], range(60), change=lose)
    frames = read(path)
    assert all(place == number for place, number, whole in frames if whole)
    whole = [place for place, _, whole in frames if whole]
    assert whole[-1] == 59 and places["lost"] not in whole
    # those before it that refer to it are lost too: as many as lie between two others, at most
    damaged = [place for place in range(60) if place not in whole]
    assert places["lost"] - 3 <= damaged[0] and damaged[-1] < places["key"]
    assert damaged == list(range(damaged[0], places["key"]))
    damage = Damage()
    grid = list(read_frames(path, damage=damage))
    assert [frame.index for frame in grid if frame.image is None] == damaged
    assert damage.frames == len(damaged) - 1  # the lost one is no frame of the file


@pytest.mark.parametrize("name", CODINGS)
def test_what_follows_a_lost_key_frame_is_damaged_up_to_the_next(tmp_path, name):
    path, keys = tmp_path / "lost", []

    def lose(packets):
        order = sorted(packet.pts for packet in packets)
        at = [n for n, packet in enumerate(packets) if packet.is_keyframe]
        keys.extend(order.index(packets[n].pts) for n in at)
        return without(at[1])(packets)

    write(path, CODINGS[name], range(60), change=lose)
    frames = read(path)
    assert all(place == number for place, number, whole in frames if whole)
    whole = [place for place, _, whole in frames if whole]
    # frames shown before the lost one may be predicted from it
    assert whole[: keys[1] - 3] == list(range(keys[1] - 3))
    assert not set(range(keys[1], keys[2])) & set(whole)
    assert whole[-(60 - keys[2]) :] == list(range(keys[2], 60))


def test_the_last_frame_before_a_key_frame_is_damaged_where_the_one_before_it_is_lost(tmp_path):
    path = tmp_path / "lost.mkv"
    write(path, CODINGS["mpeg2"], range(60), change=without(KEY - 2))
    assert [place for place, _, whole in read(path) if not whole] == [KEY - 1]


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("kind", ["one", "many", "uneven"])
def test_frames_left_out_before_encoding_are_a_hole(tmp_path, name, kind):
    left_out = {"one": {20}, "many": set(range(20, 30)), "uneven": {3, 4, 9, 15, 16, 17, 31, 44}}
    ticks = [tick for tick in range(60) if tick not in left_out[kind]]
    path = tmp_path / "hole"
    write(path, CODINGS[name], ticks, ticks)
    assert read(path) == [(tick, tick, True) for tick in ticks]


@pytest.mark.parametrize("name", ["h264_b3", "mpeg2_b2"])
def test_a_lost_frame_that_no_other_refers_to_is_a_hole(tmp_path, name):
    def lose(packets):  # the frames between two others come after them; the second of two
        at = next(
            n for n in range(12, 40) if packets[n - 1].pts < packets[n].pts < packets[n - 2].pts
        )
        disposable = packets[at]
        lost.append(disposable.pts)
        return without(at)(packets)

    lost: list[int] = []
    path = tmp_path / "lost"
    write(path, CODINGS[name], range(60), change=lose)
    assert sum(whole for _, _, whole in read(path)) == 59
    assert all(place == number for place, number, _ in read(path))


def test_a_gradual_refresh_ends_damage(tmp_path):
    path = tmp_path / "refresh.mkv"
    options = x264(0, 20, **{"intra-refresh": 1})
    write(path, Coding("matroska", "libx264", options=options), range(100), change=without(30))
    frames = read(path)
    assert all(place == number for place, number, whole in frames if whole)
    damaged = [place for place, _, whole in frames if not whole]
    # a refresh begins every 20 frames and runs over 8 columns of 16 px: from 40 on, to 48 at most
    assert damaged == list(range(31, damaged[-1] + 1)) and 42 <= damaged[-1] <= 48


def test_after_a_loss_without_another_key_frame_the_grid_goes_on(tmp_path):
    path = tmp_path / "lost.mkv"
    write(path, Coding("matroska", "libx264", options=x264(0, 250)), range(100), change=without(60))
    grid = list(read_frames(path))
    assert [number_of(frame.image) for frame in grid[:60]] == list(range(60))
    assert len(grid) == 100 and all(frame.image is None for frame in grid[60:])


@pytest.mark.parametrize("codec", ["h264_b3", "mpeg2_b2"])
def test_frames_that_refer_to_a_damaged_one_that_is_shown_later_are_damaged(tmp_path, codec):
    path = tmp_path / "damaged.mkv"
    write(path, CODINGS[codec], range(60))
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    shown = [round(packet.pts * packet.time_base * 25) for packet in packets]
    at = next(n for n in range(10, 30) if shown[n] > max(shown[:n]) + 2)
    data = bytearray(path.read_bytes())
    begin, end = packets[at].pos + packets[at].size // 3, packets[at].pos + packets[at].size
    data[begin:end] = np.random.default_rng(1).bytes(end - begin)
    path.write_bytes(data)
    frames = read(path)
    # those between it and the frame before come after it, and are predicted from it
    assert not any(whole for place, _, whole in frames if max(shown[:at]) < place <= shown[at])
    assert [place for place, _, whole in frames if whole][: max(shown[:at]) + 1] == [
        *range(max(shown[:at]) + 1)
    ]


@pytest.mark.parametrize("kind", ["overwritten.mkv", "cut_off.avi"])
def test_damage_at_the_end_of_a_frame_shown_later_is_marked_in_every_reading(tmp_path, kind):
    """Of FFmpeg's threads one may give a frame to which another still finds damage."""
    path = tmp_path / kind
    if kind == "cut_off.avi":
        next(video for video in VIDEOS if video.name == "cut_off_h264_b3.avi").make(path)
    else:
        write(path, CODINGS["h264_b3"], range(60))
        with av.open(str(path)) as container:
            sizes = {packet.pos: packet.size for packet in container.demux(video=0) if packet.size}
        at = max(list(sizes)[10:20], key=sizes.__getitem__)
        data, end = bytearray(path.read_bytes()), at + sizes[at]
        data[end - sizes[at] // 4 : end] = b"Z" * (sizes[at] // 4)
        path.write_bytes(data)
    readings = {tuple(whole for *_, whole in read(path)) for _ in range(60)}
    assert len(readings) == 1
    assert not all(readings.pop())


def cohort(folder: Path, *names: str) -> None:
    """The tables of a cohort with a clip for each name."""
    (folder / "participants.tsv").write_text("participant_id\nsub-01\n")
    rows = ["clip_id\tparticipant_id\tvideo\tstart\tend"]
    rows += [f"{name}\tsub-01\t{name}.mkv\t0\tn/a" for name in names]
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    (folder / "clips.json").write_text("{}")


def test_cohort_check_lists_where_frames_were_lost(tmp_path):
    cohort(tmp_path, "lost", "hole")
    write(tmp_path / "lost.mkv", CODINGS["h264"], range(60), change=without(30))
    ticks = [tick for tick in range(60) if tick != 30]
    write(tmp_path / "hole.mkv", CODINGS["h264"], ticks, ticks)
    assert check_cohort(tmp_path).notes == []
    assert check_cohort(tmp_path, losses=True).notes == [
        "lost: frames of its video were lost on their way at a place, at 1.24 s; what follows is"
        " missing up to the next key frame"
    ]


def test_the_summary_and_the_record_have_the_fraction_of_missing_frames(tmp_path):
    cohort(tmp_path, "lost")
    write(tmp_path / "lost.mkv", CODINGS["h264"], range(60), change=without(30))
    summary = extract_cohort(Cohort.read(tmp_path), tmp_path / "store", progress=False)
    # frames 30 to 47 of 60: 48 is a key frame
    assert summary.missing == {"lost": pytest.approx(0.3)}
    assert "missing or damaged in 1 clip; most in lost (30.0%)" in summary.text()
    again = extract_cohort(Cohort.read(tmp_path), tmp_path / "store", progress=False)
    assert again.skipped == ["lost"] and again.missing == summary.missing


def test_of_two_video_streams_it_is_said_which_is_read(tmp_path):
    cohort(tmp_path, "two")
    with av.open(str(tmp_path / "two.mkv"), "w") as target:
        streams = [target.add_stream("mpeg4", rate=25) for _ in range(2)]
        for stream, width in zip(streams, (64, 128)):
            stream.width, stream.height, stream.pix_fmt = width, 96, "yuv420p"
        for number in range(10):
            for stream in streams:
                image = np.full((96, stream.width, 3), 10 * number, np.uint8)
                target.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        for stream in streams:
            target.mux(stream.encode(None))
    shown = next(every_frame(tmp_path / "two.mkv")).image.shape[1]
    which = {64: "1 of 2, 64x96", 128: "2 of 2, 128x96"}[shown]
    assert probe(tmp_path / "two.mkv").stream == which
    note = f"two: its video holds several video streams; number {which}, is read"
    assert note in check_cohort(tmp_path).notes
    for _ in range(2):  # the second time nothing is extracted
        summary = extract_cohort(Cohort.read(tmp_path), tmp_path / "store", progress=False)
        assert summary.stream == {"two": which} and which in summary.text()


def test_a_single_video_stream_is_no_news(tmp_path):
    write(tmp_path / "one.mkv", CODINGS["h264"], range(5))
    assert probe(tmp_path / "one.mkv").stream is None


def test_a_damaged_header_of_h264_costs_its_numbers_and_nothing_else(tmp_path):
    write(tmp_path / "a.mkv", CODINGS["h264"], range(4))
    with av.open(str(tmp_path / "a.mkv")) as container:
        header = container.streams.video[0].codec_context.extradata
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert header[0] == 1  # lengths before its units, as in MP4
    rng = np.random.default_rng(0)
    for place in range(5, len(header)):
        for damaged in (
            header[:place],
            header[:place] + bytes(8) + header[place + 8 :],
            header[:place] + rng.bytes(8) + header[place + 8 :],
        ):
            numbers = frame_numbers("h264", damaged)
            for packet in packets:
                numbers.lost(packet, True)
