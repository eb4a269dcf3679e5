import json

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from semiology.errors import UserError
from semiology.models.features.vgg import load_vgg
from semiology.models.pretraining import pretrain, read_images


def frame(dark: str, generator: np.random.Generator, size: int = 48) -> np.ndarray:
    """Grey noise, (size, size), with a dark upper or lower half, or a dark left one."""
    image = generator.integers(120, 200, (size, size))
    half = {
        "upper": np.s_[: size // 2],
        "lower": np.s_[size // 2 :],
        "left": np.s_[:, : size // 2],
        "right": np.s_[:, size // 2 :],
    }
    image[half[dark]] -= 90
    return image.astype(np.uint8)


def class_folders(folder, classes: dict[str, str], count: int):
    generator = np.random.default_rng(0)
    for name, dark in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(frame(dark, generator)).save(folder / name / f"{number}.png")
    return folder


def fer_table(path, rows: list[tuple[str, str, str]]):
    generator = np.random.default_rng(0)
    lines = [
        f"{emotion},{' '.join(map(str, frame(dark, generator).ravel()))},{usage}"
        for emotion, dark, usage in rows
    ]
    path.write_text("emotion,pixels,Usage\n" + "\n".join(lines) + "\n")
    return path


def test_a_small_vgg_learns_from_class_folders_and_reports_how_well(tmp_path):
    folder = class_folders(tmp_path / "images", {"up": "upper", "down": "lower"}, 40)
    result = pretrain(
        "expression",
        folder,
        tmp_path / "vgg.safetensors",
        width=0.125,
        epochs=6,
        batch=16,
        progress=False,
    )
    assert (result.trained, result.held_out, result.classes) == (68, 12, ["down", "up"])
    assert result.accuracy > 0.9
    vgg = load_vgg(result.path)
    assert (vgg.form, vgg.width, vgg.size, vgg.classes) == ("fer", 0.125, 48, ["down", "up"])
    test = np.stack([np.repeat(frame("upper", np.random.default_rng(9))[..., None], 3, axis=2)])
    assert vgg.classes[int(vgg(vgg.prepare(list(test))).argmax())] == "up"
    with safe_open(result.path, framework="np") as stored:
        facts = stored.metadata()
    assert json.loads(facts["classes"]) == ["down", "up"] and float(
        facts["accuracy"]
    ) == pytest.approx(result.accuracy)


def test_the_same_seed_gives_the_same_weights(tmp_path):
    folder = class_folders(tmp_path / "images", {"up": "upper", "down": "lower"}, 6)
    files = [
        pretrain(
            "posture",
            folder,
            tmp_path / f"{n}.safetensors",
            width=0.03,
            size=32,
            epochs=1,
            progress=False,
        ).path
        for n in "ab"
    ]
    first, second = (load_vgg(file).state_dict() for file in files)
    assert all((first[name] == second[name]).all() for name in first)


def test_fer_2013s_table_names_classes_and_what_is_held_out(tmp_path):
    rows = [
        ("3", "upper", "Training"),
        ("0", "lower", "Training"),
        ("3", "upper", "PublicTest"),
        ("0", "lower", "PrivateTest"),
    ]
    data = read_images(fer_table(tmp_path / "fer2013.csv", rows), 48, 0.15, 0)
    assert data.classes == ["angry", "happy"]
    assert data.labels.tolist() == [1, 0, 1, 0] and data.held_out.tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert data.images.shape == (4, 48, 48, 3)
    np.testing.assert_array_equal(data.images[0, ..., 0], frame("upper", np.random.default_rng(0)))


def test_train_and_test_folders_are_kept_apart(tmp_path):
    class_folders(tmp_path / "train", {"up": "upper", "down": "lower"}, 3)
    class_folders(tmp_path / "test", {"up": "upper", "down": "lower"}, 2)
    data = read_images(tmp_path, 32, 0.15, 0)
    assert (
        data.classes == ["down", "up"] and (~data.held_out).sum() == 6 and data.held_out.sum() == 4
    )


def test_what_macos_and_others_hide_is_no_image_and_no_class(tmp_path):
    class_folders(tmp_path, {"up": "upper", "down": "lower"}, 3)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.png").write_bytes(b"x")
    (tmp_path / "up" / "._0.png").write_bytes(b"\x00\x05\x16\x07")
    data = read_images(tmp_path, 32, 0.2, 0)
    assert data.classes == ["down", "up"] and len(data.labels) == 6


def test_a_flip_turns_a_class_that_names_a_side_into_its_mirror(tmp_path):
    folder = class_folders(tmp_path / "images", {"left": "left", "right": "right"}, 40)
    result = pretrain(
        "expression",
        folder,
        tmp_path / "vgg.safetensors",
        width=0.125,
        epochs=6,
        batch=16,
        progress=False,
    )
    assert (
        result.accuracy > 0.9
    )  # were the label kept in a flip, half of the training would contradict the other half


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([("3", "upper", "Training"), ("3", "lower", "Training")], "1 class; at least two"),
        (
            [("3", "upper", "Training"), ("0", "lower", "PrivateTest")],
            r"no image to train on for \['angry'\]",
        ),
        ([("3", "upper", "Training"), ("", "lower", "Training")], 'row 3, column "emotion"'),
    ],
)
def test_faults_of_a_table_are_reported_with_their_place(tmp_path, rows, fault):
    with pytest.raises(UserError, match=fault):
        read_images(fer_table(tmp_path / "fer.csv", rows), 48, 0.15, 0)


def test_faults_of_files_are_reported_with_their_place(tmp_path):
    with pytest.raises(UserError, match="not there"):
        read_images(tmp_path / "nowhere", 48, 0.15, 0)
    with pytest.raises(UserError, match="no images in class folders"):
        read_images(tmp_path, 48, 0.15, 0)
    (tmp_path / "fer.csv").write_text("emotion,pixels\n3,1 2 3\n")
    with pytest.raises(UserError, match='row 2, column "pixels"'):
        read_images(tmp_path / "fer.csv", 48, 0.15, 0)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="columns emotion and pixels"):
        read_images(tmp_path / "table.csv", 48, 0.15, 0)
    folder = class_folders(tmp_path / "images", {"up": "upper", "down": "lower"}, 1)
    (folder / "up" / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=r"broken\.png: not a readable image"):
        read_images(folder, 48, 0.15, 0)
    with pytest.raises(UserError, match="expression or posture"):
        pretrain("gait", folder, tmp_path / "x.safetensors")
