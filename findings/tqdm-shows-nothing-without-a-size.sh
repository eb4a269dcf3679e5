#!/usr/bin/env bash
# Bars of tqdm on a terminal that states no size (0 columns, 0 rows), as a container started with a
# terminal, `ssh -tt` from a timer or a batch system may give.
#
# Expected (a guess): tqdm falls back to a width of its own, as it does where it knows none: the
#   documentation says "the fallback is a meter width of 10 and no limit for the counter".
# What happens: nothing is printed but the last newline, for the whole run. 0 rows hide every bar
#   as one below the screen; 0 columns cut it. The variables COLUMNS and LINES change nothing, as
#   they are read only where the terminal cannot be asked; TQDM_NCOLS alone changes nothing either.
# Seen: 0x0 2 bytes; with COLUMNS, LINES 2; with TQDM_NCOLS 2; with TQDM_NCOLS and TQDM_NROWS, and on
#   24x80, hundreds.
# Version: tqdm 4.70.1. Date: 2026-11-30.
# Why it matters: hours of work without a sign of life, and no warning.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check tqdm==4.70.1
cat >run.py <<'EOF'
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

WORK = "import time\nfrom tqdm import tqdm\nfor _ in tqdm(range(10)): time.sleep(0.12)"


def shown(rows, columns, **settings):
    """Bytes that a bar writes on a terminal of this size."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    plain = {name: text for name, text in os.environ.items() if not name.startswith("TQDM")}
    subprocess.run([sys.executable, "-c", WORK], stderr=its, env={**plain, **settings}, check=True)
    os.close(its)
    found = b""
    try:
        while part := os.read(ours, 65536):
            found += part
    except OSError:  # how Linux says that nobody writes any more
        pass
    return len(found)


seen = {
    "24x80": shown(24, 80),
    "0x0": shown(0, 0),
    "0x0, COLUMNS and LINES": shown(0, 0, COLUMNS="80", LINES="24"),
    "0x0, TQDM_NCOLS": shown(0, 0, TQDM_NCOLS="80"),
    "0x0, TQDM_NCOLS and TQDM_NROWS": shown(0, 0, TQDM_NCOLS="80", TQDM_NROWS="24"),
}
for name, count in seen.items():
    print(f"{name:<32}{count:>6} bytes")
assert seen["24x80"] > 500 and seen["0x0, TQDM_NCOLS and TQDM_NROWS"] > 500, "changed"
assert all(seen[name] <= 2 for name in list(seen)[1:4]), "changed"
EOF
env/bin/python run.py
