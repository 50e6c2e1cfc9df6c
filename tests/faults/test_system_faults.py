"""Faults 28 and 34: Linux with control groups v1 and v2, macOS, Windows, SLURM, and caches of other users."""

import functools
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

import zoo
from zoo.core import system
from zoo.core.errors import UserError
from zoo.data.sources import cache

NONE = tempfile.gettempdir() + "/none"


def imitate(monkeypatch, tmp_path, groups, limits):
    """Imitate a Linux whose process is in `groups`, by /proc, with these limits of cgroups."""
    (tmp_path / "proc").write_text(groups)
    for file, limit in limits.items():
        path = tmp_path / "cgroup" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")
    monkeypatch.setattr(system._cgroup_limits, "__defaults__", (tmp_path / "proc", tmp_path / "cgroup"))


@pytest.mark.parametrize(
    ("groups", "limits", "smallest"),
    [
        ("0::/\n", {}, None),  # the root group of version 2 has no file
        ("0::/user/me\n", {"user/me/memory.max": "max", "user/memory.max": "max"}, None),
        ("0::/user/me\n", {"user/me/memory.max": "max", "user/memory.max": 500}, 500),
        ("4:memory:/c/d\n2:cpu:/c\n0::/a/b\n", {"memory/c/memory.limit_in_bytes": 700, "a/memory.max": 900}, 700),
        ("", {}, None),
    ],
)
def test_fault_28_memory_is_within_the_limits_of_cgroups(monkeypatch, tmp_path, groups, limits, smallest):
    """Free memory is that of the machine, or the smallest limit of cgroups v1 or v2."""
    imitate(monkeypatch, tmp_path, groups, limits)
    free = psutil.virtual_memory().available
    assert system.free_memory() == smallest if smallest else 0.5 * free < system.free_memory() < 2 * free


def test_fault_28_memory_is_known_without_cgroups(monkeypatch):
    """Without /proc, as on macOS, and without ulimit, as on Windows, free memory is that of the machine."""
    monkeypatch.setattr(system._cgroup_limits, "__defaults__", (system.Path(NONE), system.Path(NONE)))
    monkeypatch.setitem(sys.modules, "resource", None)
    assert 0 < system.free_memory() <= psutil.virtual_memory().total
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert system.free_memory() == system.DEFAULT_MEMORY


# Removes what Windows and macOS lack, before any import that might use it.
ELSEWHERE = """
import multiprocessing, os, pathlib, signal, sys
if sys.argv[1] == "windows":
    for name in ("fcntl", "resource", "pwd", "grp", "termios"):
        sys.modules[name] = None
    for name in ("SIGUSR1", "SIGKILL", "SIGHUP"):
        delattr(signal, name)
    signal.valid_signals = lambda: {signal.SIGINT, signal.SIGTERM}
    for name in ("sysconf", "getuid", "geteuid", "fchmod", "umask", "sched_getaffinity"):
        delattr(os, name)
    open_file = os.open
    def no_folders(path, *options, **more):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", path)
        return open_file(path, *options, **more)
    os.open = no_folders
else:
    delattr(os, "sched_getaffinity")
    exists = pathlib.Path.exists
    pathlib.Path.exists = lambda path: not str(path).startswith(("/proc", "/sys")) and exists(path)
multiprocessing.set_start_method("spawn")
if __name__ == "__main__":
    import zoo
    from lightning.pytorch.trainer.connectors import signal_connector
    signal_connector._IS_WINDOWS = sys.argv[1] == "windows"
    metrics = zoo.train(zoo.config("model=fnn/mlp", "trainer=cpu", "trainer.max_epochs=1"), sys.argv[2])
    zoo.train(zoo.config("model=fnn/mlp", "data=csv", "data.path=" + sys.argv[3], "data.target=y", "data.cache=true",
              "trainer=cpu", "trainer.max_epochs=1"), sys.argv[2] + "-csv")
    print(zoo.load(sys.argv[2]).card["hardware"], metrics["test"]["accuracy"])
"""


@pytest.mark.long
@pytest.mark.parametrize("name", ["windows", "macos"])
def test_fault_28_training_needs_nothing_that_windows_or_macos_lack(tmp_path, name):
    """A model trains and loads without what Windows and macOS lack: cgroups, POSIX locks, signals, users."""
    script, table = tmp_path / "script.py", tmp_path / "table.csv"
    script.write_text(ELSEWHERE)
    table.write_text("x,y\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(100)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "ZOO_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, str(script), name, str(tmp_path / "run"), str(table)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split()[-1]) > 0.5


# Its last lines lack `if __name__ == "__main__":`, so processes started by multiprocessing run them.
UNGUARDED = """
import multiprocessing, pathlib, sys
from zoo.data.images import _parallel
from zoo.data.images._decode import read_header
multiprocessing.set_start_method("forkserver")
_parallel.n_cores = lambda: 2
files = [pathlib.Path(__file__)] * 12 * _parallel.CHUNK_SIZE
print(len(list(_parallel.map_files(read_header, files, "reading"))))
import zoo
zoo.train(zoo.config("model=fnn/mlp", "trainer=cpu", "trainer.max_epochs=1", "data.num_workers=1"), sys.argv[1])
"""


@pytest.mark.long
def test_fault_28_an_unguarded_script_reads_images_where_processes_are_spawned(tmp_path):
    """If processes are spawned, a script without a main guard reads images; for data.num_workers a message says how
    to add one.
    """
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    assert done.stdout.split()[0] == "384"
    assert 'under `if __name__ == "__main__":`; data.num_workers=0' in done.stderr.splitlines()[-1]
    assert "memory" not in done.stderr.splitlines()[-2]


def test_fault_28_a_slurm_job_without_srun_ends_in_one_line(config, monkeypatch, tmp_path):
    """A SLURM job with --ntasks whose script runs without srun ends in Lightning's message."""
    job = {"JOB_ID": 77, "JOB_NAME": "train", "NTASKS": 4, "PROCID": 0, "LOCALID": 0, "NODEID": 0, "NNODES": 1}
    for name, value in {**job, "JOB_NODELIST": "localhost"}.items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    with pytest.raises(UserError, match=r"`--ntasks=4`.*`--ntasks-per-node=4`"):
        zoo.train(config("model=fnn/mlp", "trainer=cpu", "trainer.max_epochs=1"), tmp_path)


def test_fault_34_a_temporary_folder_of_another_user_is_not_used(monkeypatch, tmp_path):
    """The cache in the temporary folder, the last resort, is private to its user; otherwise a new one is created."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    find = system.private_temporary_folder.__wrapped__
    own = find("zoo")
    assert find("zoo") == own
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    own.chmod(0o777)  # anyone may write there
    assert find("zoo") != own
    own.rmdir()
    own.symlink_to(tmp_path)
    assert find("zoo") != own


def test_fault_34_a_cache_of_another_user_is_read_and_not_written(monkeypatch, tmp_path):
    """Files in another user's cache are read; new ones go to the user's own cache."""
    shared, home = tmp_path / "shared", tmp_path / "home"
    monkeypatch.setenv("ZOO_CACHE", str(shared))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    for name in ("old", "new"):
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(100)))
    load = functools.partial(zoo.load_data, "csv", target="y", cache=True)
    load(path=str(tmp_path / "old.csv"))
    before, can_write = sorted(shared.rglob("*")), cache._can_write
    monkeypatch.setattr(cache, "_can_write", lambda folder: shared not in Path(folder).parents and can_write(folder))
    load(path=str(tmp_path / "old.csv"))
    assert not home.exists()
    load(path=str(tmp_path / "new.csv"))
    assert sorted(shared.rglob("*")) == before
    assert list(home.rglob("*.arrow"))
