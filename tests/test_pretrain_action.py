import json
import tempfile

import numpy as np
import pytest
from safetensors import safe_open

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.models.features import load_snippet_network
from semiology.models.pretraining import pretrain_action
from semiology.models.pretraining.clips import read_clips
from semiology.video import write_video


def moving_square(path, direction: str, start: int, frames: int = 24, fps: float = 15.0):
    """A bright square on grey that moves by 3 px a frame, or none; a single frame does not show
    where to.
    """
    images = np.full((frames, 64, 64, 3), 90, np.uint8)
    for number, image in enumerate(images):
        along = (start + 3 * number) % 48
        left, top = {
            "right": (along, 24),
            "left": (47 - along, 24),
            "down": (24, along),
            "up": (24, 47 - along),
        }[direction]
        image[top : top + 16, left : left + 16] = 230
    write_video(path, images, fps)


def class_folders(folder, classes, count: int, **how):
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            moving_square(folder / name / f"{number}.mp4", name, 7 * number, **how)
    return folder


def read(folder, **how):
    held = tempfile.TemporaryFile()  # noqa: SIM115 - closed when what reads it is gone
    return read_clips(
        folder,
        held,
        **{"length": 8, "per_file": None, "held_out": 0.0, "seed": 0, "progress": False, **how},
    )


def test_a_small_network_learns_which_way_things_move(tmp_path):
    """Also that a mirrored left is a right: were the label kept, half of the training would
    contradict the other half.
    """
    folder = class_folders(tmp_path / "clips", ["left", "right"], 8)
    how = {
        "width": 0.0625,
        "depth": 10,
        "frames": 4,
        "epochs": 12,
        "batch": 8,
        "held_out": 0.25,
        "per_file": 3,
        "progress": False,
    }
    made = pretrain_action(folder, tmp_path / "net.safetensors", **how)
    assert (made.trained, made.held_out, made.classes) == (36, 12, ["left", "right"])
    assert made.accuracy > 0.9 and not made.failed
    assert "36 snippets trained on, 12 held out" in made.text()
    network = load_snippet_network(made.path)
    assert network.classes == ["left", "right"] and network.channels == 32
    with safe_open(made.path, framework="np") as stored:
        facts = stored.metadata()
    assert (
        facts["frames"] == "4"
        and facts["width"] == "0.0625"
        and json.loads(facts["classes"]) == ["left", "right"]
    )
    assert "participants" not in facts


def test_the_same_seed_gives_the_same_bytes_and_records_who_taught(tmp_path):
    folder = class_folders(tmp_path / "clips", ["up", "down"], 2, frames=9)
    files = []
    for name in "ab":
        where = ["pretrain", "action", str(folder), "--out", str(tmp_path / f"{name}.safetensors")]
        assert (
            main(
                [
                    *where,
                    "--width",
                    "0.03",
                    "--depth",
                    "10",
                    "--epochs",
                    "1",
                    "--participants",
                    '["p2", "p1"]',
                ]
            )
            == 0
        )
        files.append((tmp_path / f"{name}.safetensors").read_bytes())
    assert files[0] == files[1]
    with safe_open(tmp_path / "a.safetensors", framework="np") as stored:
        assert json.loads(stored.metadata()["participants"]) == ["p1", "p2"]


def test_snippets_are_cut_one_after_the_other_and_stay_in_their_video(tmp_path):
    for name, levels in (("dark", (10, 20)), ("light", (200, 220))):
        (tmp_path / name).mkdir()
        for number, level in enumerate(levels):
            write_video(
                tmp_path / name / f"{number}.avi", [np.full((64, 64, 3), level, np.uint8)] * 20, 15
            )
    data = read(tmp_path)
    assert data.starts.tolist() == [
        0,
        12,
        20,
        32,
        40,
        52,
        60,
        72,
    ]  # two of eight in twenty frames, at the two ends
    assert (
        data.labels.tolist() == [0] * 4 + [1] * 4
        and data.classes == ["dark", "light"]
        and data.files == 4
    )
    centre = data.cut(np.arange(8), np.full(8, -5))[:, :, 56, 56, 0].mean(axis=1)
    np.testing.assert_allclose(centre, np.repeat([10, 20, 200, 220], 2), atol=4)
    assert read(tmp_path, per_file=1).starts.tolist() == [0, 20, 40, 60]


def test_videos_are_held_out_whole_by_share_or_by_folder(tmp_path):
    folder = class_folders(tmp_path / "clips", ["up", "down"], 4, frames=16)
    data = read(folder, held_out=0.25)
    by_video = data.held_out.reshape(8, 2)
    assert (
        (by_video[:, 0] == by_video[:, 1]).all()
        and by_video[:4, 0].sum() == 1
        and by_video[4:, 0].sum() == 1
    )
    class_folders(tmp_path / "apart" / "train", ["up", "down"], 1)
    class_folders(tmp_path / "apart" / "test", ["up", "down"], 2)
    assert (
        read(tmp_path / "apart").held_out.tolist() == [True] * 12 + [False] * 6
    )  # test/ comes before train/ by name


def test_damaged_and_short_files_are_listed_without_their_names_and_the_rest_goes_on(
    tmp_path, capsys
):
    folder = class_folders(tmp_path / "clips", ["up", "down"], 3)
    (folder / "up" / "0_secret.mp4").write_bytes(b"")
    moving_square(folder / "down" / "9_secret.mp4", "down", 0, frames=5)
    out = tmp_path / "net.safetensors"
    assert (
        main(
            [
                "pretrain",
                "action",
                str(folder),
                "--out",
                str(out),
                "--width",
                "0.03",
                "--depth",
                "10",
                "--epochs",
                "1",
            ]
        )
        == 1
    )
    printed = capsys.readouterr().out
    assert (
        "failed: up, file 2 by name: is empty" in printed
        and "failed: down, file 4 by name: has 5 frames at 15 Hz" in printed
    )
    assert "secret" not in printed and load_snippet_network(out).classes == ["down", "up"]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"depth": 50}, "depth is one of 10, 18, 34"),
        ({"frames": 0}, "above 0"),
        ({"device": "abacus"}, "no device is called"),
    ],
)
def test_impossible_options_are_refused_before_a_video_is_read(tmp_path, options, fault):
    with pytest.raises(UserError, match=fault):
        pretrain_action(tmp_path, tmp_path / "net.safetensors", **options)


def test_a_folder_as_output_is_refused_before_a_video_is_read(tmp_path):
    with pytest.raises(UserError, match=f"{tmp_path}: is a folder; name the file to write"):
        pretrain_action(tmp_path / "not there", tmp_path)


def test_folders_without_videos_are_refused(tmp_path):
    with pytest.raises(UserError, match="not there"):
        read(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no videos in class folders"):
        read(tmp_path)
    class_folders(tmp_path, ["up"], 1)
    with pytest.raises(UserError, match="1 class; at least two"):
        read(tmp_path)
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "notes.txt").write_text("none")
    with pytest.raises(UserError, match=r"no video to train on for \['down'\]"):
        read(tmp_path)
