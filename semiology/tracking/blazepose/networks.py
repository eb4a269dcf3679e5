"""The networks of BlazePose's family: which files they are, what they put out, and running them by
LiteRT.

A .tflite file holds a graph and its weights, no code. Outputs that nobody reads are cut from the
graph before it is loaded: the body's landmark network without its segmentation takes little more
than half of the time. A graph with operators that LiteRT lacks is cut into the parts between them.
"""

import os
import threading
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.files import content_hash
from semiology.weights import check_hash, published, weights_folder


@dataclass(frozen=True)
class Layout:
    """What a network reads and puts out, by which files of another network are refused.

    Attributes:
        side: of its square input, px; 0 where it reads points.
        values: range of its input's values.
        sizes: number of values in each output, in the file's order.
        in_task: name of the file in a `.task` bundle of MediaPipe.
    """

    side: int
    values: tuple[float, float]
    sizes: tuple[int, ...]
    in_task: str


class NetworkError(UserError):
    """A network is not there or cannot be used: of a batch, every clip would fail by it."""


MARK = b"TFL3"  # of a .tflite file, after its first four bytes
STDERR_LOCK = threading.Lock()
_SIGNED, _UNIT = (-1.0, 1.0), (0.0, 1.0)
BODY = Layout(256, _UNIT, (195, 1, 256 * 256, 64 * 64 * 39, 117), "pose_landmarks_detector.tflite")
HAND = Layout(224, _UNIT, (63, 1, 1, 63), "hand_landmarks_detector.tflite")
# published name -> layout [C: MediaPipe's graphs]
LAYOUTS = {
    "pose_detection": Layout(224, _SIGNED, (2254 * 12, 2254), "pose_detector.tflite"),
    "pose_landmark_lite": BODY,
    "pose_landmark_full": BODY,
    "pose_landmark_heavy": BODY,
    "face_detection_short_range": Layout(128, _SIGNED, (896 * 16, 896), "face_detector.tflite"),
    "face_detection_full_range": Layout(192, _SIGNED, (2304 * 16, 2304), "face_detector.tflite"),
    "face_landmarks_with_attention": Layout(
        192, _UNIT, (1404, 160, 142, 142, 10, 10, 1), "face_landmark_with_attention.tflite"
    ),
    "face_landmarks": Layout(256, _UNIT, (1434, 1, 1), "face_landmarks_detector.tflite"),
    "face_blendshapes": Layout(0, _UNIT, (52,), "face_blendshapes.tflite"),
    "palm_detection": Layout(192, _UNIT, (2016 * 18, 2016), "hand_detector.tflite"),
    "hand_landmark": HAND,
}


class Network:
    """A network on one core; several threads may share it, one at a time computes.

    Args:
        name: of published weights, a key of `LAYOUTS`.
        outputs: positions of the outputs that are read; the others are cut from the graph.
        file: a .tflite or .task file of the user's own, in place of the published one.
        inside: numbers in the file of tensors inside the graph that are put out too, last.
        source: number of a tensor inside the graph that is read in place of the input; with it, the
            network is the part of the graph that follows.

    Raises:
        NetworkError: the file is not there, is another one than the published, holds no such
            network, or one with other inputs or outputs; LiteRT is not installed.
    """

    def __init__(
        self,
        name: str,
        outputs: Sequence[int],
        file: Path | None = None,
        *,
        inside: Sequence[int] = (),
        source: int | None = None,
    ) -> None:
        self.layout = LAYOUTS[name]
        content, called = (_published(name), name) if file is None else _given(file, self.layout)
        with _reading(called):
            self._interpreter = _load(_cut(content, self.layout, outputs, inside, source))
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [entry["index"] for entry in self._interpreter.get_output_details()]
        self._one_at_a_time = threading.Lock()

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """The outputs, each flat (size,) float32.

        Args:
            values: (side, side, 3) uint8 of an image; or float32 in the shape that is read.
        """
        if values.dtype == np.uint8:
            low, high = self.layout.values
            values = np.multiply(values, np.float32((high - low) / 255), dtype=np.float32)
            if low:
                values += low
        with self._one_at_a_time:
            self._interpreter.set_tensor(self._input, values[None])
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index).ravel() for index in self._outputs]


def network_hash(name: str, file: Path | None = None) -> str:
    """SHA-256 of the file that a network is read from, for the store's key; reads no network.

    Raises:
        NetworkError: the file is not there.
    """
    return published(name).sha256 if file is None else content_hash(file)


@cache
def _published(name: str) -> bytes:
    """The published network of that name: from the folder of weights, or from an installed
    MediaPipe that carries it.

    Raises:
        NetworkError: it is in neither, or another file has its name.
    """
    entry = published(name)
    spec = find_spec("mediapipe")
    places = [weights_folder() / entry.file]
    if spec is not None and spec.origin:
        places.append(Path(spec.origin).parents[1] / entry.inside)
    for path in places:
        if path.is_file():
            try:
                check_hash(path, entry.sha256)
            except UserError as error:
                raise NetworkError(str(error)) from None
            return path.read_bytes()
    raise NetworkError(
        f"{places[0]}: the network {name} is not there; `semiology weights get blazepose` fetches"
        " BlazePose's networks, or `semiology weights add FILE blazepose` takes them from a wheel"
        " or a .task file that you brought"
    )


def _given(file: Path, layout: Layout) -> tuple[bytes, str]:
    """A network of a user's file, and what to call it in messages.

    Raises:
        NetworkError: no such file, no such network in the bundle.
    """
    if not file.is_file():
        raise NetworkError(f"{file}: no such file of a network")
    content = file.read_bytes()
    if content[4:8] == MARK or not zipfile.is_zipfile(file):  # a network may end in a zip of labels
        return content, str(file)
    with zipfile.ZipFile(file) as bundle:
        if layout.in_task not in bundle.namelist():
            raise NetworkError(
                f"{file}: holds no {layout.in_task}, but {', '.join(sorted(bundle.namelist()))};"
                " give the bundle of the network that is wanted"
            )
        try:
            return bundle.read(layout.in_task), f"{file}: {layout.in_task}"
        except (zipfile.BadZipFile, zlib.error) as error:
            raise NetworkError(f"{file}: damaged ({error}); copy it again") from error


@dataclass(frozen=True)
class CustomOperator:
    """An operator that LiteRT lacks.

    Attributes:
        options: its parameters, by name.
        inputs: numbers in the file of the tensors that it reads.
        outputs: of those that it puts out.
    """

    options: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def custom_operators(name: str) -> dict[str, list[CustomOperator]]:
    """The custom operators of a published network by their names, each in the file's order.

    Raises:
        NetworkError: the network is not there, or another file has its name; LiteRT is not
            installed.
    """
    content, found = _published(name), defaultdict(list)
    with _reading(name):
        from flatbuffers import flexbuffers

        model = _model(content)
        for operator in model.subgraphs[0].operators:
            if (called := model.operatorCodes[operator.opcodeIndex].customCode) is not None:
                packed = operator.customOptions
                options = {} if packed is None else flexbuffers.Loads(bytes(packed))
                inputs, outputs = (
                    tuple(map(int, of)) for of in (operator.inputs, operator.outputs)
                )
                found[called.decode()].append(CustomOperator(options, inputs, outputs))
    return found


@contextmanager
def _reading(called: str) -> Iterator[None]:
    """Errors of reading and loading a network, as the user's."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise NetworkError(
            f"BlazePose's networks: {error.name} is not installed; pip install"
            " 'semiology[blazepose]'"
        ) from error
    except UserError as error:
        raise NetworkError(f"{called}: {error}") from None
    except Exception as error:  # whatever the reader of flatbuffers or LiteRT meets in a file
        raise NetworkError(
            f"{called}: not a network that LiteRT can run; give a .tflite or .task file of"
            " MediaPipe"
        ) from error


def _load(content: bytes) -> Any:
    """LiteRT with a network."""
    from ai_edge_litert.interpreter import Interpreter

    with silence_stderr():  # it writes which kernels it took
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    return interpreter


@lru_cache(maxsize=1)  # the parts of one network are cut one after the other
def _model(content: bytes) -> Any:
    """What a file holds; not to be changed."""
    from ai_edge_litert.schema_py_generated import ModelT

    if content[4:8] != MARK:
        raise ValueError
    return ModelT.InitFromPackedBuf(content, 0)


def _cut(
    content: bytes,
    layout: Layout,
    outputs: Sequence[int],
    inside: Sequence[int],
    source: int | None,
) -> bytes:
    """The file with those operators alone that the outputs and the tensors `inside` need, from the
    input or from the tensor `source`.

    Raises:
        NetworkError: the network has other inputs or outputs than the layout.
    """
    import flatbuffers

    model = copy(_model(content))
    graph = copy(model.subgraphs[0])
    sizes = tuple(int(np.prod(graph.tensors[output].shape)) for output in graph.outputs)
    shape = tuple(int(size) for size in graph.tensors[graph.inputs[0]].shape)
    if sizes != layout.sizes or (layout.side and shape != (1, layout.side, layout.side, 3)):
        raise NetworkError(
            f"a network that reads {shape} and puts out {sizes} values; wanted are"
            f" {layout.sizes} from a square of {layout.side} px: give {layout.in_task} of MediaPipe"
        )
    graph.outputs = [*(graph.outputs[position] for position in outputs), *inside]
    graph.inputs = graph.inputs if source is None else [source]
    needed, operators = {int(output) for output in graph.outputs}, []
    for operator in reversed(graph.operators):
        if needed & {int(output) for output in operator.outputs}:
            operators.append(operator)
            needed |= {int(tensor) for tensor in operator.inputs} - {source}
    graph.operators = operators[::-1]
    model.subgraphs = [graph]
    model.signatureDefs = None  # they name the outputs that are gone
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=MARK)
    return bytes(builder.Output())


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard what a C++ library writes to standard error, for which it has no switch; one thread
    at a time.
    """
    with STDERR_LOCK:
        saved = os.dup(2)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
