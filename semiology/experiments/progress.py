"""How far a cross-validation is: models of all folds, epochs of the model in training, time left.

Worker processes cannot print into one display. What they have trained stands in the work folders of
their folds anyway, and how far a training is in a small file beside it (`trainer.fit`); a thread of
the display counts these files. It shows no file names.
"""

import os
import sys
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from tqdm import tqdm

from semiology.models.training.trainer import EPOCHS

POLL_INTERVAL = 0.5  # s between two looks at the files, in a terminal [our choice]
LINE_INTERVAL = 60.0  # s between two lines in a log file: 600 in ten hours [our choice]
LINE = "{percentage:3.0f}%{postfix}, {elapsed} gone, {remaining} left"
BAR = "{percentage:3.0f}%|{bar:20}{postfix}, {elapsed} gone, {remaining} left"


class RunProgress:
    """The display, for the duration of a `with` block: a bar in a terminal, a line a minute
    elsewhere.

    Args:
        work: folder of the work folders.
        models: name of each work folder that is still to come -> models that are trained in it.
        folds: which of these are folds; the others are of final models.
        before: folds, and their models, that were complete before.
    """

    def __init__(
        self,
        work: Path,
        models: Mapping[str, int],
        folds: Collection[str],
        before: tuple[int, int] = (0, 0),
    ):
        self.work, self.models, self.folds, self.before = work, models, set(folds), before
        self.total = sum(models.values()) + before[1]
        self._done: set[str] = set()
        self._most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> "RunProgress":
        for left in self.work.rglob(f"*{EPOCHS}"):  # by a run that was stopped
            left.unlink(missing_ok=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def done(self, name: str) -> None:
        """Count everything in the work folder of this name as finished."""
        self._done.add(name)

    def look(self) -> tuple[float, str]:
        """The models that are done, with a share of those in training, and all of it in words."""
        done = set(self._done)
        whole, shares, inside = self.before[1] + sum(self.models[name] for name in done), 0.0, []
        for name in self._begun() - done:
            expected, (trained, running) = self.models[name], work_done(self.work / name)
            whole += min(trained, expected)
            shares += min(
                sum(epoch / of for _, epoch, of in running), expected - min(trained, expected)
            )
            inside += running
        self._most = max(self._most, whole + shares)
        folds, all_folds = (
            len(those) + self.before[0] for those in (done & self.folds, self.folds)
        )
        words = [f"{whole} of {self.total} models", f"{folds} of {all_folds} folds"]
        if len(inside) == 1:
            words.append("{}, epoch {} of {}".format(*inside[0]))
        elif inside:
            words.append(f"{len(inside)} in training")
        return self._most, ", ".join(words)

    def _begun(self) -> set[str]:
        try:
            return set(os.listdir(self.work)) & set(self.models)
        except OSError:
            return set()

    def _show(self) -> None:
        began, (at_first, words) = time.monotonic(), self.look()
        if sys.stderr.isatty():
            with tqdm(total=self.total, initial=at_first, bar_format=BAR, smoothing=0) as bar:
                last = False
                while not last:
                    last = self._over.wait(POLL_INTERVAL)
                    bar.n, words = self.look()
                    bar.set_postfix_str(words)
            return
        print(f"training: {words}", file=sys.stderr, flush=True)
        waiting = True
        while waiting:
            waiting = not self._over.wait(LINE_INTERVAL)
            number, words = self.look()
            passed = time.monotonic() - began
            line = tqdm.format_meter(
                number, self.total, passed, initial=at_first, bar_format=LINE, postfix=words
            )
            print(line, file=sys.stderr, flush=True)


def work_done(folder: Path) -> tuple[int, list[tuple[str, int, int]]]:
    """Models that are trained in a work folder, its inner folds included; and (name, epoch, of how
    many) of those in training.
    """
    trained, running = 0, []
    for inside, _, files in os.walk(folder):  # passes over what is deleted meanwhile
        for name in files:
            stem, suffix = os.path.splitext(name)
            if suffix == ".safetensors":
                trained += not name.startswith(".")
            elif suffix == EPOCHS:
                try:
                    epoch, of = (Path(inside) / name).read_text().split()
                    running.append((stem, int(epoch), int(of)))
                except (OSError, ValueError):  # deleted, or being written
                    continue
    return trained, running
