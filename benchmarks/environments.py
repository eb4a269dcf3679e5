"""Other programs in environments of their own, made once by uv in the user's cache.

They need other versions of Python or numpy than this package, and none of them is a dependency.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "semiology"


class NotInstalled(Exception):
    """An environment that could not be made: no package index, no such interpreter."""


class Failed(Exception):
    """A script that an environment's Python did not run to its end; the last line of its errors."""


def environment(package: str, version: str, interpreter: str) -> Path:
    """The Python that has `package` in this version; its environment is made where it is not there.

    Args:
        package: its name in the package index.
        version: exactly this one.
        interpreter: as uv takes it: a version or a path.

    Raises:
        NotInstalled: uv could not make it.
    """
    folder = CACHE / f"{package}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    uv = Path(sys.executable).with_name("uv")
    has = f"from importlib.metadata import version; assert version({package!r}) == {version!r}"
    if (
        not python.exists()
        or subprocess.run([python, "-c", has], capture_output=True, check=False).returncode
    ):
        for command in (
            ["venv", "--no-project", "--clear", "--python", interpreter, folder],
            ["pip", "install", "--python", python, f"{package}=={version}"],
        ):
            try:
                subprocess.run([uv, *command], check=True, capture_output=True, text=True)
            except (OSError, subprocess.CalledProcessError) as error:
                lines = [*str(getattr(error, "stderr", "")).splitlines(), str(error)]
                why = next((line for line in lines if re.match(r"\W*×|error", line)), lines[-1])
                raise NotInstalled(f"{package} {version}: {why.strip(' ×')}") from error
    return python


def beside_ours(package: str, version: str, *more: str) -> Path:
    """A folder with `package` in this version and what it needs, for `path` of `answer`: it hides
    our own versions of these, and everything else is ours.

    Args:
        package: its name in the package index.
        version: exactly this one.
        more: other requirements.

    Raises:
        NotInstalled: uv could not install it.
    """
    folder = CACHE / f"beside-{package}-{version}"
    if not (folder / "installed").exists():
        uv = Path(sys.executable).with_name("uv")
        command = ["pip", "install", "--target", folder, "--python", sys.executable]
        try:
            subprocess.run(
                [uv, *command, f"{package}=={version}", *more],
                check=True,
                capture_output=True,
                text=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            lines = [*str(getattr(error, "stderr", "")).splitlines(), str(error)]
            raise NotInstalled(f"{package} {version}: {lines[-1]}") from error
        (folder / "installed").touch()
    return folder


def earlier_build(commit: str) -> Path:
    """The folder of an earlier build's package, out of the repository's history.

    Raises:
        NotInstalled: this is no clone with that commit in it.
    """
    folder = CACHE / f"semiology-{commit}"
    if not (folder / "semiology").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            packed = subprocess.run(
                ["git", "archive", commit, "semiology"], check=True, capture_output=True
            )
            subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotInstalled(f"build {commit}: {error}") from error
    return folder


def answer(python: Path, script: Path, *arguments: object, path: Sequence[Path] = ()) -> Any:
    """What a script prints last, as JSON, run by an environment's Python.

    Args:
        python: of the environment.
        script: and its `arguments`.
        path: folders that are searched first.

    Raises:
        Failed: it did not run to its end.
    """
    run = subprocess.run(
        [python, script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))},
    )
    if run.returncode:
        raise Failed((run.stderr.strip().splitlines() or ["no error was printed"])[-1])
    return json.loads(run.stdout.splitlines()[-1])
