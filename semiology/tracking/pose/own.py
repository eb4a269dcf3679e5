"""A pose backend of the user's own: a class by its import path, `package.module:Class`, or by the
name under which an installed package announces it (entry point of the group `semiology.pose`).

Its class is checked before the first clip and what it gives in every frame, so that a mistake in it
is a message about it and not an error somewhere in the pipeline.
"""

import inspect
import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from semiology.data.result import is_allowed
from semiology.errors import UserError
from semiology.files import content_hash
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose.base import PARTS, Landmarks

GROUP = "semiology.pose"
MEMBERS = {
    "name": "the tracker's name, text",
    "keypoints": "a dict of part (body, face, hands) -> names of its keypoints",
    "in_metres": "the set of parts with a position_3d, frozenset() where there are none",
    "parameters": "a method: all that the result depends on, as a dict of numbers and text",
    "track": "a method: frames with the patient's location -> a dict of part -> Landmarks each",
}
_END = object()


class OwnPose:
    """A backend of the user's own, with what it gives checked; see `PoseBackend`.

    Args:
        path: its import path, or the name of its entry point.
        reserved: names of this package's backends, which its `name` may not take.

    Raises:
        UserError: no such class, one in a module that is not allowed, or one that is no backend:
            the message lists what is missing.
    """

    def __init__(self, path: str, reserved: Iterable[str] = ()):
        self.path = path
        found: Any = _by_path(path) if ":" in path else _by_entry_point(path, reserved)
        if not isinstance(found, type):
            raise UserError(f"pose backend {path}: is not a class")
        try:
            self._backend = found()
        except UserError:
            raise
        except Exception as error:  # whatever the user's own code raises
            raise UserError(
                f"pose backend {path}: cannot be created without arguments ({_in_short(error)});"
                " settings belong into the class and its parameters()"
            ) from error
        if faults := _faults(self._backend, reserved):
            raise UserError(f"pose backend {path}: {'; '.join(faults)}")
        self.name: str = self._backend.name
        self.keypoints = {part: list(names) for part, names in self._backend.keypoints.items()}
        self.in_metres = frozenset(self._backend.in_metres)
        self._code = _code_hash(type(self._backend))
        self.parameters()

    def parameters(self) -> dict[str, object]:
        """Its own parameters, its import path, and the SHA-256 of the file that its class is in, so
        that a change there makes new tracks.

        Raises:
            UserError: its parameters are no dict of numbers, text and lists of them.
        """
        try:
            own = dict(self._backend.parameters())
            json.dumps(own, sort_keys=True)
        except Exception as error:  # whatever the user's own code raises
            raise UserError(
                f"pose backend {self.path}: parameters() gives no dict of numbers, text and lists"
                f" ({_in_short(error)}); it is part of the store's key"
            ) from error
        return {**own, "class": self.path, "code": self._code}

    def track(
        self, frames: Iterable[tuple[np.ndarray | None, PatientLocation]]
    ) -> Iterator[dict[str, Landmarks]]:
        """Track one clip; see `PoseBackend`.

        Raises:
            UserError: its code fails, or gives something else than landmarks for each frame; the
                message has the frame.
        """
        frames, given = iter(frames), 0
        taken = 0

        def counted() -> Iterator[tuple[np.ndarray | None, PatientLocation]]:
            nonlocal taken
            for frame in frames:
                taken += 1
                yield frame

        try:
            for found in self._backend.track(counted()):
                if given == taken:
                    raise self._fault(given, "more results than frames")
                yield self._checked(found, given)
                given += 1
        except (UserError, OSError, MemoryError):
            raise  # of the video, of the disk, or our own
        except Exception as error:  # whatever the user's own code raises
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}, line {place.lineno}"
            raise self._fault(given, f"{_in_short(error)} ({where})") from error
        if given < taken or next(frames, _END) is not _END:
            raise self._fault(given, "no result; track() has to give one for each frame, in order")

    def _checked(self, found: Any, frame: int) -> dict[str, Landmarks]:
        if not isinstance(found, Mapping) or not set(found) <= set(self.keypoints):
            raise self._fault(
                frame, f"expected a dict of {', '.join(self.keypoints)} -> Landmarks, got {found!r}"
            )
        return {part: self._landmarks(part, marks, frame) for part, marks in found.items()}

    def _landmarks(self, part: str, marks: Any, frame: int) -> Landmarks:
        count = len(self.keypoints[part])
        shapes = {"position": (count, 2), "confidence": (count,)}
        if part in self.in_metres:
            shapes["position_3d"] = (count, 3)
        arrays = {}
        for name, shape in shapes.items():
            try:
                arrays[name] = np.asarray(getattr(marks, name), float)
            except (AttributeError, TypeError, ValueError) as error:
                raise self._fault(frame, f"{part}: no array {name} in {marks!r}") from error
            if arrays[name].shape != shape:
                got = arrays[name].shape
                raise self._fault(frame, f"{part}: {name} has shape {got}, expected {shape}")
        wrong = (arrays["confidence"] < 0) | (arrays["confidence"] > 1)
        if wrong.any():
            value = arrays["confidence"][wrong][0]
            raise self._fault(frame, f"{part}: confidence {value:g} is outside of 0 to 1")
        return Landmarks(**arrays)

    def _fault(self, frame: int, what: str) -> UserError:
        return UserError(f"pose backend {self.path}: frame {frame}: {what}")


def _by_path(path: str) -> Any:
    module, _, name = path.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), name]):
        raise UserError(f"pose backend {path!r}: write package.module:Class")
    if not is_allowed(f"{module}.{name}"):
        raise UserError(
            f"pose backend {path}: a class of your own that is not named on the command line itself"
            f" needs --allow {module} there (allow=[...] from Python), as its code then runs"
        )
    try:
        return getattr(import_module(module), name)
    except AttributeError as error:
        raise UserError(f"pose backend {path}: {module} has no {name}") from error
    except Exception as error:  # whatever the module does when it is imported
        raise UserError(
            f"pose backend {path}: {module} cannot be imported ({_in_short(error)}); install it, or"
            " put its folder into PYTHONPATH"
        ) from error


def _by_entry_point(name: str, reserved: Iterable[str]) -> Any:
    announced = entry_points(group=GROUP)
    if name not in announced.names:
        own = sorted(announced.names)
        raise UserError(
            f"pose backend {name!r}: unknown; there are {', '.join([*reserved, *own])}, and"
            " package.module:Class for one of your own"
        )
    try:
        return announced[name].load()
    except Exception as error:  # whatever the package does when it is imported
        raise UserError(
            f"pose backend {name}: {announced[name].value} cannot be loaded ({_in_short(error)})"
        ) from error


def _faults(backend: Any, reserved: Iterable[str]) -> list[str]:
    """What keeps an object from being a pose backend."""
    missing = [name for name in MEMBERS if not hasattr(backend, name)]
    if missing:
        return [f"lacks {name} ({MEMBERS[name]})" for name in missing]
    faults = [
        f"{name} is not {MEMBERS[name]}"
        for name in ("parameters", "track")
        if not callable(getattr(backend, name))
    ]
    if not isinstance(backend.name, str) or not backend.name:
        faults.append(f"name is not {MEMBERS['name']}")
    elif backend.name in reserved:
        faults.append(f"its name, {backend.name}, is that of a backend of semiology")
    if not isinstance(backend.keypoints, Mapping) or not backend.keypoints:
        return [*faults, f"keypoints is not {MEMBERS['keypoints']}"]
    for part, names in backend.keypoints.items():
        if part not in PARTS:
            faults.append(f"keypoints: no part {part!r}; parts are {', '.join(PARTS)}")
        elif not isinstance(names, list | tuple) or not all(
            isinstance(name, str) and name for name in names
        ):
            faults.append(f"keypoints: {part}: expected a list of names")
        elif not names or len(set(names)) < len(names):
            faults.append(f"keypoints: {part}: {'names repeat' if names else 'no names'}")
    if isinstance(backend.in_metres, str) or not isinstance(backend.in_metres, Iterable):
        faults.append(f"in_metres is not {MEMBERS['in_metres']}")
    elif unknown := set(backend.in_metres) - set(backend.keypoints):
        faults.append(f"in_metres: {', '.join(sorted(map(str, unknown)))}: not in keypoints")
    return faults


def _code_hash(kind: type) -> str:
    """SHA-256 of the file that a class is defined in; empty where there is none (a notebook)."""
    try:
        return content_hash(Path(inspect.getfile(kind)))
    except (TypeError, OSError):
        return ""


def _in_short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
