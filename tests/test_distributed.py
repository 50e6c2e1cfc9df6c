"""Several processes and machines give the results of one process, and resume where a signal stopped them."""

import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import psutil
import pytest
import torch
from helpers.commands import ROOT
from helpers.processes import ONE_PROCESS, SETTINGS, TWO_PROCESSES, assert_same, free_port, train_twice
from lightning.fabric.strategies.launchers import subprocess_script

import zoo
from zoo.cli.errors import outcome
from zoo.core.checkpoint_file import newest
from zoo.core.rank_zero import is_rank_zero
from zoo.engine.processes import _watch_parent, lost_process, watch_processes

CLUSTER = ROOT / "scripts" / "cluster"
PATH = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.long
def test_the_script_starts_all_processes(config, script, tmp_path):
    two = script("train", *SETTINGS["fnn"], *TWO_PROCESSES, f"run_dir={tmp_path / 'two'}")
    assert two.code == 0, two.err
    assert two.out.count("training fnn/mlp") == 1
    zoo.train(config(*SETTINGS["fnn"], *ONE_PROCESS), tmp_path / "one")
    assert_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.long
def test_a_training_resumes_with_another_strategy_and_keeps_the_optimisers_state(config, tmp_path):
    settings = ("model=fnn/mlp", "data.batch_size=37", "optim=adamw", "optim.schedule.name=constant", "resume=changed")

    def train(folder, strategy, n_epochs):
        train_twice(config(*settings, *TWO_PROCESSES, f"trainer={strategy}", f"trainer.max_epochs={n_epochs}"), folder)

    train(tmp_path / "one", "ddp", 3)
    for n_epochs, strategy in enumerate(("ddp", "fsdp", "ddp"), 1):
        train(tmp_path / "mixed", strategy, n_epochs)
    assert_same(tmp_path / "one", tmp_path / "mixed")


@pytest.mark.parametrize("setting", ["optim.ema=0.9", "optim.lookahead=5", "optim=muon", "optim.sam=0.05"])
def test_options_that_need_unsharded_weights_are_refused(config, tmp_path, monkeypatch, setting):
    monkeypatch.setenv("LOCAL_RANK", "0")  # as a launcher does, so that Lightning starts no process
    with pytest.raises(zoo.UserError, match=r"trainer=fsdp|on one device"):
        zoo.train(
            config("model=fnn/mlp", "trainer=fsdp", "trainer.devices=1", "trainer.accelerator=cpu", setting), tmp_path
        )


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("ip") or not shutil.which("nsenter"), reason="needs Linux with ip and nsenter")
def test_two_machines_train_like_one_process(config, tmp_path):
    command = ["bash", str(CLUSTER / "two_nodes.sh"), *SETTINGS["fnn"], *ONE_PROCESS[1:], f"run_dir={tmp_path / 'two'}"]
    done = subprocess.run(command, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, timeout=240)
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    zoo.train(config(*SETTINGS["fnn"], *ONE_PROCESS), tmp_path / "one")
    assert_same(tmp_path / "one", tmp_path / "two")


@pytest.mark.parametrize(
    ("variables", "first"),
    [
        ({}, True),
        ({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "0"}, False),  # torchrun, second machine
        ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "1"}, True),  # torchrun, under srun
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "4", "SLURM_LOCALID": "0"}, False),  # srun, second machine
        ({"WORLD_SIZE": "2", "LOCAL_RANK": "1", "SLURM_PROCID": "0"}, False),  # Lightning's, in a shell of SLURM's
        ({"NODE_RANK": "1"}, False),  # Lightning's launcher, second machine
        ({"RANK": "1", "LOCAL_RANK": "1", "SLURM_PROCID": "1"}, True),  # a leftover variable without others
        ({"WORLD_SIZE": "1", "RANK": "1"}, True),
    ],
)
def test_exactly_one_process_is_the_first(monkeypatch, variables, first):
    for name in ("WORLD_SIZE", "RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_NTASKS", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_rank_zero() == first


# -- a process that is killed


class Ended(BaseException):
    """Raised instead of ending the process."""


@pytest.fixture
def ends(monkeypatch, capsys):
    """Call a function that ends the process, and return the exit code and the message."""

    def end(code):
        raise Ended(code)

    monkeypatch.setattr("zoo.engine.processes.GRACE", 0)
    monkeypatch.setattr("os._exit", end)

    def call(function, *args):
        with pytest.raises(Ended) as caught:
            function(*args)
        return caught.value.args[0], capsys.readouterr().err

    return call


def test_a_lost_process_ends_the_others_with_4(ends, monkeypatch):
    """Lightning's observer finds the process that ended early."""
    monkeypatch.setenv("ZOO_PARENT", "0")  # and taken back
    watch_processes()
    killed, waiting = (SimpleNamespace(returncode=code, poll=list, kill=list, pid=1) for code in (-9, None))
    code, err = ends(subprocess_script._ChildProcessObserver(os.getpid(), [waiting, killed])._run)
    assert code == 4
    assert err.startswith("another process of this training is gone: it ended with -9\n") and "resume=auto" in err


def test_a_lost_first_process_ends_the_others_with_4(ends):
    assert ends(_watch_parent, os.getppid() + 1)[0] == 4


def test_a_failed_connection_counts_as_a_lost_process():
    gloo = RuntimeError(
        "[/gloo/tcp/pair.cc:545] Read error [127.0.0.1]:6041: Connection reset by peer. This is typical."
    )
    for error in (gloo, torch.distributed.DistNetworkError("no answer")):
        code, message = outcome(lost_process(error))
        assert code == 4 and "resume=auto" in message
    assert "(Read error [127.0.0.1]:6041: Connection reset by peer)" in outcome(lost_process(gloo))[1]
    assert lost_process(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


ENDS = """
import atexit, os, sys
from zoo.cli.errors import end, whole_exit
os.environ["ZOO_PARENT"] = str(os.getpid())
atexit.register(print, "exit functions are called")
class Group:
    def __del__(self): os.abort()
sys.modules["kept"] = Group()  # freed when Python is taken down, as torch's groups are
with whole_exit():
    print("output is written")
    if int(sys.argv[1]): end(int(sys.argv[1]), "a message")
"""


@pytest.mark.parametrize("code", [0, 2, 138])
def test_one_of_several_processes_ends_whole_with_its_exit_code(code):
    done = subprocess.run([sys.executable, "-c", ENDS, str(code)], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout == "output is written\nexit functions are called\n"
    assert done.stderr == ("a message\n" if code else "")


@pytest.mark.long
def test_a_killed_process_ends_the_command_with_4(tmp_path):
    """The message has two lines, and the last checkpoint can be resumed."""
    command = [sys.executable, ROOT / "scripts/train.py", *SETTINGS["fnn"], *TWO_PROCESSES, "trainer.max_epochs=5000"]
    with subprocess.Popen(
        [*command, f"run_dir={tmp_path}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if line.startswith("epoch 2"):
                next(
                    child for child in psutil.Process(process.pid).children() if "train.py" in str(child.cmdline())
                ).kill()
                break
        _, err = process.communicate(timeout=120)
    assert process.returncode == 4
    assert "another process of this training is gone" in err and len(err.splitlines()) == 2
    assert newest(tmp_path / "checkpoints") is not None


# Starts the tasks as srun does; on request sends the first the signal that SLURM sends to all when time is up.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do shift; done
for task in 0 1; do SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & tasks+=($!); done
if [ -n "$SIGNAL_AFTER" ]; then
  until [ -f "$SIGNAL_AFTER" ]; do sleep 0.1; done
  kill -USR1 "${tasks[0]}"
fi
for task in "${tasks[@]}"; do wait "$task"; codes+=($?); done
printf '%s\\n' "${codes[@]}" | sort -n | tail -1 >code
exit "$(cat code)"
"""


@pytest.mark.long
def test_a_slurm_job_saves_is_requeued_and_resumes(tmp_path):
    for name, text in {"srun": SRUN, "scontrol": "#!/usr/bin/env bash\necho $@ >>requeued\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    job = {"JOB_ID": 4321, "JOB_NAME": "zoo", "NNODES": 1, "NODEID": 0, "NTASKS": 2, "NTASKS_PER_NODE": 2}
    slurm = {f"SLURM_{name}": str(value) for name, value in {**job, "CPUS_PER_TASK": 1}.items()}
    slurm |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "PATH": f"{tmp_path}{os.pathsep}{PATH}"}
    command = [
        "bash",
        str(CLUSTER / "train.sbatch"),
        "model=fnn/mlp",
        *TWO_PROCESSES,
        "trainer=fsdp",
        "trainer.max_epochs=20",
    ]
    best = tmp_path / "runs" / "4321" / "checkpoints" / "best.ckpt"
    for signal_after, code in ((best, 128 + signal.SIGUSR1), ("", 0)):
        env = {**os.environ, **slurm, "SIGNAL_AFTER": str(signal_after)}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=240)
        assert done.returncode == code, done.stderr
        assert (tmp_path / "requeued").read_text() == "requeue 4321\n"
    assert len(list(best.parent.glob("step=*.ckpt"))) == 2
    epochs = pd.read_csv(best.parent.parent / "metrics.csv")["epoch"]
    assert list(epochs) == list(range(1, len(epochs) + 1))
