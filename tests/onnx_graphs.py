"""Small ONNX graphs whose output is known: each of their keypoints is where the image is reddest,
greenest or bluest (keypoint number modulo 3). Written as the bytes of ONNX's protobuf, so that no
other package is needed.
"""

import numpy as np

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
FLOAT, INT, INTS = 1, 2, 7  # of onnx.proto: a tensor's type, and an attribute's


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def tensor(name: str, values: np.ndarray) -> bytes:
    """A TensorProto of float32."""
    dims = b"".join(_field(1, size) for size in values.shape)
    content = values.astype("<f4").tobytes()
    return dims + _field(2, FLOAT) + _field(8, name) + _field(9, content)


def node(kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> bytes:
    """A NodeProto; attributes are integers or lists of them."""
    stated = b""
    for name, value in attributes.items():
        if isinstance(value, int):
            stated += _field(5, _field(1, name) + _field(3, value) + _field(20, INT))
        else:
            ints = b"".join(_field(8, each) for each in value)
            stated += _field(5, _field(1, name) + ints + _field(20, INTS))
    names = b"".join(_field(1, name) for name in inputs)
    return names + _field(2, output) + _field(4, kind) + stated


def _value(name: str, shape: list[int | str] | None) -> bytes:
    sizes = b"".join(
        _field(1, _field(1, size) if isinstance(size, int) else _field(2, size))
        for size in shape or []
    )
    tensor_type = _field(1, FLOAT) + (b"" if shape is None else _field(2, sizes))
    return _field(1, name) + _field(2, _field(1, tensor_type))


def model(
    nodes: list[bytes],
    constants: dict[str, np.ndarray],
    inputs: dict[str, list[int | str]],
    outputs: list[str],
) -> bytes:
    """A ModelProto of opset 13."""
    graph = b"".join(_field(1, each) for each in nodes) + _field(2, "test")
    graph += b"".join(_field(5, tensor(name, values)) for name, values in constants.items())
    graph += b"".join(_field(11, _value(name, shape)) for name, shape in inputs.items())
    graph += b"".join(_field(12, _value(name, None)) for name in outputs)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def _sampled(count: int, step: float, length: int) -> np.ndarray:
    """(count, length) matrix: sample j is the value at index j * step, between two by both."""
    at = np.minimum(np.arange(count) * step, length - 1)
    low = np.minimum(at.astype(int), length - 2)
    matrix = np.zeros((count, length))
    matrix[np.arange(count), low] = 1 - (at - low)
    matrix[np.arange(count), low + 1] += at - low
    return matrix


def _by_colour(count: int, mean: np.ndarray, std: np.ndarray) -> tuple[list[bytes], dict]:
    """The node that makes of a normalised input maps of a colour each, 0 to 1."""
    weight = np.zeros((count, 3, 1, 1))
    weight[np.arange(count), np.arange(count) % 3, 0, 0] = std[np.arange(count) % 3] / 255
    bias = mean[np.arange(count) % 3] / 255
    return [node("Conv", ["image", "weight", "bias"], "maps")], {"weight": weight, "bias": bias}


def simcc(width: int, height: int, count: int = 17, mean=MEAN, std=STD, shape=None) -> bytes:
    """Two bins a pixel along each axis, bin 2i at pixel i, as RTMPose's."""
    nodes, constants = _by_colour(count, mean, std)
    constants |= {
        "wide": _sampled(2 * width, 0.5, width).T,
        "high": _sampled(2 * height, 0.5, height),
    }
    nodes += [
        node("MatMul", ["maps", "wide"], "widened"),
        node("MatMul", ["high", "maps"], "heightened"),
        node("ReduceMax", ["widened"], "simcc_x", axes=[2], keepdims=0),
        node("ReduceMax", ["heightened"], "simcc_y", axes=[3], keepdims=0),
    ]
    inputs = {"image": shape or [1, 3, height, width]}
    return model(nodes, constants, inputs, ["simcc_x", "simcc_y"])


def heatmap(width: int, height: int, count: int = 17, udp: bool = True) -> bytes:
    """A map of a quarter of the size: its ends on the input's, as ViTPose's, or every 4th pixel."""
    nodes, constants = _by_colour(count, MEAN, STD)
    step = [(side - 1) / (side // 4 - 1) if udp else 4 for side in (width, height)]
    constants["wide"] = _sampled(width // 4, step[0], width).T
    constants["high"] = _sampled(height // 4, step[1], height)
    nodes += [
        node("MatMul", ["maps", "wide"], "narrow"),
        node("MatMul", ["high", "narrow"], "heatmaps"),
    ]
    return model(nodes, constants, {"image": [1, 3, height, width]}, ["heatmaps"])


def constant(size: int, **outputs: np.ndarray) -> bytes:
    """A network that puts out the same, whatever it sees in its square image."""
    nodes = [node("Identity", [f"{name}_is"], name) for name in outputs]
    constants = {f"{name}_is": values for name, values in outputs.items()}
    return model(nodes, constants, {"image": [1, 3, size, size]}, list(outputs))
