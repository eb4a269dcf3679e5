"""Calls distributed to worker processes; workers that die."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from joblib import delayed

from semiology.cli.main import main
from semiology.errors import UserError
from semiology.parallel import LOST_MESSAGE, Workers, run_parallel


def square(number: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    return number * number


def refuse(number: int) -> int:
    raise UserError(f"clip {number}: has no frame")


def die_at_first(number: int, marker: Path) -> int:
    """Kills its process, but not twice."""
    if number == 1 and not marker.exists():
        marker.touch()
        os._exit(9)
    return number * number


def stop_at_first(number: int, marker: Path) -> int:
    """What is left of a fold when its worker gets SIGTERM."""
    if number == 1 and not marker.exists():
        marker.touch()
        raise KeyboardInterrupt
    return number * number


def die(number: int) -> int:
    if number == 1:
        os._exit(9)
    return number * number


def test_results_come_in_the_order_in_which_they_are_done():
    slow_first = [delayed(square)(2, seconds=1.0), delayed(square)(3)]
    assert list(run_parallel(slow_first, Workers(jobs=2))) == [9, 4]
    assert list(run_parallel(slow_first[::-1], Workers())) == [
        9,
        4,
    ]  # in this process: one after the other
    assert list(run_parallel([], Workers(jobs=2))) == []


def test_what_a_call_raises_travels_as_it_is():
    with pytest.raises(UserError, match=r"^clip 7: has no frame$"):
        list(run_parallel([delayed(refuse)(7)] * 2, Workers(jobs=2)))


def test_a_call_whose_worker_died_is_started_again(tmp_path):
    calls = [delayed(die_at_first)(number, tmp_path / "died") for number in range(4)]
    assert sorted(run_parallel(calls, Workers(jobs=2))) == [0, 1, 4, 9]
    assert (tmp_path / "died").exists()


def test_a_worker_that_is_ordered_to_stop_costs_its_task_only_and_the_asker_itself_stops(tmp_path):
    calls = [delayed(stop_at_first)(number, tmp_path / "stopped") for number in range(4)]
    assert sorted(run_parallel(calls, Workers(jobs=2))) == [0, 1, 4, 9]
    with pytest.raises(KeyboardInterrupt):
        list(run_parallel([delayed(stop_at_first)(1, tmp_path / "here")], Workers()))


def test_a_call_that_kills_every_worker_fails_alone():
    calls = [delayed(die)(number) for number in range(4)]
    done = list(
        run_parallel(calls, Workers(jobs=2, retries=0), lost=lambda number, why: f"{number}: {why}")
    )
    assert sorted(map(str, done)) == ["0", f"1: {LOST_MESSAGE}", "4", "9"]


def test_without_a_substitute_a_lost_call_is_an_error_after_all_others():
    done = []
    with pytest.raises(UserError, match=re.escape(LOST_MESSAGE)):
        for result in run_parallel(
            [delayed(die)(number) for number in range(3)], Workers(jobs=2, retries=0)
        ):
            done.append(result)
    assert sorted(done) == [0, 4]


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"jobs": 0}, "jobs: 0"),
        ({"jobs": -2}, "jobs: -2"),
        ({"retries": -1}, "retries: -1"),
        ({"backend": "ray", "address": "auto"}, "jobs: 1; .*--jobs 2"),
        ({"backend": "dask"}, "backend dask: .*--address"),
        (
            {"address": "tcp://10.0.0.1:8786"},
            "address and gpus_per_task: .*--backend ray .*--backend dask",
        ),
        ({"gpus_per_task": 0.5}, "address and gpus_per_task: "),
        (
            {"backend": "dask", "address": "tcp://10.0.0.1:8786", "gpus_per_task": 1.5},
            "gpus_per_task: 1.5",
        ),
    ],
)
def test_impossible_settings_are_named(settings, fault):
    with pytest.raises(UserError, match="^" + fault):
        Workers(**settings)


@pytest.mark.parametrize(("backend", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_a_backend_that_is_not_installed_reports_what_to_install(
    backend, package, monkeypatch, tmp_path, capsys
):
    monkeypatch.setitem(
        sys.modules, package, None
    )  # importing it now fails as if it were not there
    (tmp_path / "a.mp4").touch()
    arguments = [
        "--backend",
        backend,
        "--address",
        "127.0.0.1:1",
        "--jobs",
        "2",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(["extract", str(tmp_path / "a.mp4"), *arguments]) == 2
    assert f"pip install 'semiology[{backend}]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory):
    """Two workers of one thread on this machine."""
    from distributed import LocalCluster

    where = {
        "host": "127.0.0.1",
        "dashboard_address": None,
        "local_directory": str(tmp_path_factory.mktemp("dask")),
    }
    with LocalCluster(n_workers=2, threads_per_worker=1, **where) as cluster:
        yield cluster


def test_dask_workers_do_the_same_and_a_dead_one_costs_its_task_only(dask_cluster, tmp_path):
    workers = Workers(backend="dask", address=dask_cluster.scheduler_address)
    calls = [delayed(die_at_first)(number, tmp_path / "died") for number in range(4)]
    assert sorted(run_parallel(calls, workers)) == [0, 1, 4, 9]
    assert (tmp_path / "died").exists()
    with pytest.raises(UserError, match=r"^clip 7: has no frame$"):
        list(run_parallel([delayed(refuse)(7)], workers))


def test_dask_workers_without_the_gpus_that_are_requested_are_refused(dask_cluster):
    address = dask_cluster.scheduler_address
    with pytest.raises(UserError, match=f"gpus_per_task 0.5: .*{address}"):
        list(
            run_parallel(
                [delayed(square)(2)], Workers(backend="dask", address=address, gpus_per_task=0.5)
            )
        )


ORPHANS = """
import os, sys, time
from joblib import delayed
from semiology.parallel import Workers, run_parallel

def wait(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)

if __name__ == "__main__":
    list(run_parallel([delayed(wait)(sys.argv[1])] * 2, Workers(jobs=2)))
"""


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the number of a dead parent stays")
def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path):
    (tmp_path / "pids").mkdir()
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    parent = subprocess.Popen([sys.executable, script, tmp_path / "pids"])
    workers = []
    for _ in range(600):
        workers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
        if len(workers) == 2:
            break
        time.sleep(0.1)
    assert len(workers) == 2 and parent.pid not in workers
    parent.kill()
    parent.wait()
    for _ in range(100):
        workers = [worker for worker in workers if alive(worker)]
        if not workers:
            break
        time.sleep(0.1)
    assert not workers


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")  # a zombie has ended, and nobody has asked for its status
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
