#!/usr/bin/env bash
# Encoding five frames of AV1 makes the calling thread a real-time one, for good, where it may.
#
# Expected (a guess): an encoder called from a library may give its own threads a priority, and takes
#   them along when it is closed.
# What happens: as root (a container), or with CAP_SYS_NICE, libsvtav1 sets the thread that opens it
#   to SCHED_FIFO, priority 99. It stays so after the file is closed, and what the thread starts
#   inherits it: such a process runs before everything else of the machine, the desktop, a
#   recorder and the system's own services included, until it ends.
# Seen: policy 0 (SCHED_OTHER) before; of the calling thread 1 (SCHED_FIFO), priority 99, after the
#   file is closed; a process started then has it too. libx264 and libx265 leave it at 0. Without
#   the right nothing is changed, and nothing is said.
# Version: PyAV 18.1.0 (libsvtav1 as in its wheels, FFmpeg 8.1.2). Date: 2026-11-30.
# Why it matters: a service in a container that once writes an AV1 copy takes a whole core from
#   everything else on a machine that records patients; two test processes on two cores finished
#   at very different times, and the benchmarks beside them stood still.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check av==18.1.0 numpy==1.26.4
cat >run.py <<'EOF'
import os
import subprocess
import sys

import av
import numpy as np


def policy():
    return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority


def encoded(codec):
    with av.open(f"{codec}.mkv", "w") as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8), "rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return policy()


print("PyAV", av.__version__, "may set priorities:", os.geteuid() == 0)
if os.geteuid():
    raise SystemExit("nothing to see without the right to set priorities; run it as root")
found = {"before": policy()} | {codec: encoded(codec) for codec in ("libx264", "libx265")}
found["libsvtav1"] = encoded("libsvtav1")
own = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"]
found["a process started then"] = int(subprocess.run(own, capture_output=True, text=True).stdout)
print(found)
others = [found[name] for name in ("before", "libx264", "libx265")]
assert others == [(0, 0)] * 3 and found["libsvtav1"] == (1, 99), "the behaviour has changed"
assert found["a process started then"] == 1, "the behaviour has changed"
EOF
env/bin/python run.py 2>/dev/null
