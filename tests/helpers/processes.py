"""Trainings of one process and of two."""

import json
import multiprocessing
import os
import socket

import pandas as pd
import pytest

import zoo

# Batches of odd sizes, so that two processes have unequal shares. No random layers: each process draws its own.
SETTINGS = {
    "fnn": (
        *(
            "model=fnn/mlp",
            "data.batch_size=37",
            "optim.clip=1",
            "task.class_weights=[1,3]",
            "task.label_smoothing=0.1",
        ),
        "distill.teacher=fnn/mlp.breast_cancer",
    ),
    "cnn": ("model=cnn/lenet5", "data.batch_size=37", "data.augment=null", "trainer.limit_train_batches=20"),
    "rnn": ("model=rnn/lstm", "data=text", "data.n_steps=33", "data.batch_size=13", "data.eval_batch_size=3"),
}
ONE_PROCESS = ("trainer=cpu", "trainer.max_epochs=2", "trainer.precision=32-true")
TWO_PROCESSES = ("trainer=ddp", "trainer.accelerator=cpu", *ONE_PROCESS[1:])


def assert_same(folder, other):
    """Assert equal metrics at the end and after each epoch."""
    ends = [json.loads((run / "metrics.json").read_text()) for run in (folder, other)]
    for split in ("val", "test"):
        assert ends[1][split] == pytest.approx(ends[0][split], rel=1e-4)
    epochs = [pd.read_csv(run / "metrics.csv").drop(columns="seconds") for run in (folder, other)]
    pd.testing.assert_frame_equal(*epochs, rtol=1e-4)


def train_as(rank, port, config, folder):
    """Train as one of two processes that were not started by Lightning."""
    os.environ |= {"WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "MASTER_PORT": str(port)}
    zoo.train(config, folder)


def train_twice(config, folder):
    """Train in two processes at once, forked from one that has imported the libraries."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pandas", "pytest", "zoo.training"])
    arguments = (free_port(), config, folder)
    processes = [context.Process(target=train_as, args=(rank, *arguments)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
