"""Settings of trainings, each valid by itself."""

from pathlib import Path

from hypothesis import strategies as st

from fuzzing import seeds

SHORT = (
    *("trainer=cpu", "trainer.max_epochs=1", "trainer.limit_train_batches=3"),
    *("data.batch_size=8", "trainer.save_every=0.01"),
)
_CHOICES = (  # TRAINED is replaced by a run folder of the same model and data
    *("optim=sgd", "optim=nesterov", "optim=nesterov_fast", "optim=muon", "optim.lr=0", "optim.weight_decay=0.1"),
    *("optim.clip=0.1", "optim.ema=0.9", "optim.lookahead=2", "optim.sam=0.05", "optim.schedule.name=constant"),
    *("optim.schedule.name=step", "optim.schedule={name: cosine, warmup: 0.5}", "optim.bias_lr=2"),
    *("task.label_smoothing=0.1", "task.class_weights=[1,2]", "task.class_weights=[3,1,2]", "task.loss=mae"),
    *("seed=7", "seeds=[0,1]", "finetune=TRAINED", "distill.teacher=TRAINED", "data.batch_size=1", "data.augment=null"),
    *("data.eval_batch_size=3", "data.resident=false", "data.batch_size=auto", "+data.augment.trivial={}"),
    *("+data.augment.noise={name: numeric, std: 0.1}", "+data.augment.noise={name: sequence, std: 0.1}"),
    *("+data.augment.mixup.alpha=0.2", "+data.augment.cutmix.p=0.5", "+data.augment.resize={start: 6, epochs: 1}"),
    *("trainer.max_epochs=3", "trainer.check_val_every_n_epoch=2", "trainer.accumulate_grad_batches=2"),
    *(
        "trainer.keep=last",
        "trainer.patience=1",
        "budget=2s",
        "trainer.rollback=0.5",
        "trainer.precision=bf16-mixed",
        "trainer.deterministic=true",
    ),
    *("trainer.limit_val_batches=1", "trainer.n_checkpoints=1", "model.width=4", "model.depth=1", "model.dropout=0.5"),
)


def starts(folder: Path) -> list[list[str]]:
    """Write small data of each kind to `folder`, and return the settings of a model for each."""
    rows = seeds.CSV[0].decode().splitlines()
    contents = {
        "table.csv": "\n".join([rows[0], *rows[1:] * 4]).encode(),
        "values.csv": "\n".join(["u,v,value", *(f"{n % 7},{n % 5}.5,{n % 7 - n % 5}.25" for n in range(60))]).encode(),
        "sequences.npz": seeds.npz()[0],
        "text.txt": seeds.TEXT * 10,
        "series.csv": seeds.SERIES,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    for number in range(24):
        path = folder / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(seeds.images()[0])
    at = f"data.path={folder}"
    return [
        ["model=fnn/mlp", "data=csv", f"{at}/table.csv", "data.target=kind"],
        ["model=fnn/mlp", "data=csv", f"{at}/values.csv", "data.target=value"],
        ["model=fnn/mlp", "data=wine"],
        ["model=cnn", "data=imagefolder", f"{at}/images", "data.size=28", "data.cache=false"],
        ["model=cnn/resnet", "model.depth=8", "data=imagefolder", f"{at}/images", "data.cache=false"],
        ["model=rnn/lstm", "data=sequences", f"{at}/sequences.npz"],
        ["model=rnn/lstm", "data=text", f"{at}/text.txt", "data.n_steps=4"],
        ["model=rnn/lstm", "data=series", f"{at}/series.csv", "data.look_back=3", "data.horizon=2"],
    ]


def trainings(n_starts: int) -> st.SearchStrategy[tuple[int, list[str], list[str] | None]]:
    """Draw the number of a start, settings of a training, and optionally those of its resume."""
    drawn = st.lists(st.sampled_from(_CHOICES), max_size=4, unique_by=lambda choice: choice.split("=")[0])
    chosen = drawn.map(lambda choices: [*SHORT, *choices])
    return st.tuples(st.integers(0, n_starts - 1), chosen, st.none() | chosen)
