"""Other programs in environments of their own, made once by uv in the user's cache.

They need other versions of Python or numpy than this package, and none of them is a dependency.
"""

import json
import os
import re
import subprocess
import sys
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


def answer(python: Path, script: Path, *arguments: object) -> Any:
    """What a script prints last, as JSON, run by an environment's Python.

    Raises:
        Failed: it did not run to its end.
    """
    run = subprocess.run(
        [python, script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": ""},
    )
    if run.returncode:
        raise Failed((run.stderr.strip().splitlines() or ["no error was printed"])[-1])
    return json.loads(run.stdout.splitlines()[-1])
