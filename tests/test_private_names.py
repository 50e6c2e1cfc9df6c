"""Private and undocumented names of other libraries, each with a test that fails first if they change.

Lightning's and torch's are in zoo/engine/_lightning.py and zoo/core/_torch.py, whose docstrings name the promise
that depends on each.
"""

import os
import subprocess
import sys
from types import SimpleNamespace
from urllib.parse import urlsplit

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import nn

from zoo.core import _torch
from zoo.engine import _lightning
from zoo.engine.checkpoint_io import SafeCheckpointIO
from zoo.optim.averaging import MovingAverage


class Module(L.LightningModule):
    """A minimal module with manual optimisation, like `ZooModule`."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.layer = nn.Linear(1, 1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(6, 1), batch_size=2)

    val_dataloader = train_dataloader

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        self.manual_backward(self.layer(batch).sum())
        with _lightning.counted_update(optimizer):
            optimizer.optimizer.step()

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.layer(batch).sum())

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)]


class Watch(Callback):
    """Saves a checkpoint after the second batch of the second epoch, and records Lightning's counts."""

    def __init__(self, folder):
        self.folder, self.done, self.saved = folder, [], None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.done.append(_lightning.batches_done(trainer))
        if trainer.current_epoch == 1 and batch_idx == 1:
            trainer.save_checkpoint(self.folder / "middle.ckpt")

    def on_save_checkpoint(self, trainer, pl_module, checkpoint):
        self.saved = checkpoint["loops"]


def fit(folder, epochs, *callbacks, ckpt_path=None, kind=Module):
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        callbacks=list(callbacks), num_sanity_val_steps=0, default_root_dir=folder, plugins=[SafeCheckpointIO()],
    )  # fmt: skip
    module = kind()
    trainer.fit(module, ckpt_path=ckpt_path)
    return trainer, module


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    watch, best = Watch(folder), ModelCheckpoint(folder, "best", monitor="val/loss", enable_version_counter=False)
    trainer, module = fit(folder, 2, watch, best)
    return SimpleNamespace(folder=folder, watch=watch, trainer=trainer, module=module, best=best)


def changed(name, promise):
    return f"{name} is no longer what zoo/engine/_lightning.py expects; {promise} depends on it"


# -- Lightning


def test_batches_done_counts_the_batches_of_the_present_epoch(fitted):
    assert fitted.watch.done == [1, 2, 3, 1, 2, 3], changed("batch_progress.current.processed", "a resume in mid-epoch")


def test_a_checkpoint_counts_epochs_and_batches(fitted):
    checkpoint = SafeCheckpointIO().load_checkpoint(fitted.folder / "middle.ckpt")
    done = _lightning.saved_epochs_done(checkpoint), _lightning.saved_batches_done(checkpoint)
    assert done == (1, 2), changed("the inside of checkpoint['loops']", "refusing fewer epochs than are trained")


def test_a_training_resumes_at_the_batch_in_the_checkpoint(fitted, tmp_path):
    checkpoint = SafeCheckpointIO().load_checkpoint(fitted.folder / "middle.ckpt")
    _lightning.set_saved_batches_done(checkpoint, 1)
    SafeCheckpointIO().save_checkpoint(checkpoint, tmp_path / "earlier.ckpt")
    watch = Watch(tmp_path)
    fit(tmp_path, 2, watch, ckpt_path=tmp_path / "earlier.ckpt")
    assert watch.done == [2, 3], changed("the inside of checkpoint['loops']", "a resume in groups of another size")


def test_further_batches_are_counted_with_one(fitted, tmp_path):
    class Several(Callback):
        def on_train_batch_start(self, trainer, *args):
            _lightning.count_more_batches(trainer, 2)

        def on_train_batch_end(self, trainer, *args):
            if trainer.global_step == 4:
                trainer.save_checkpoint(tmp_path / "middle.ckpt")

    fit(tmp_path, 2, Several())
    counts = []
    for folder in (fitted.folder, tmp_path):
        loop = SafeCheckpointIO().load_checkpoint(folder / "middle.ckpt")["loops"]["fit_loop"]
        stepped = loop["epoch_loop.state_dict"]["_batches_that_stepped"]
        counts.append((*loop["epoch_loop.batch_progress"]["total"].values(), stepped))
    expected = [[4, 4, 5, 5, 5], [11, 11, 12, 12, 12]]
    assert [*map(sorted, counts)] == expected, changed("batch_progress.total", "what checkpoints count")


def test_a_bare_step_is_counted(fitted):
    assert fitted.trainer.global_step == 6, changed("LightningOptimizer._on_before_step", "the number of updates")


def test_a_model_checkpoint_resumes_with_its_file_elsewhere(fitted, tmp_path):
    state = fitted.best.state_dict()
    assert {"dirpath", "best_model_path", "kth_best_model_path", "best_k_models", "best_model_score"} <= set(state)
    moved = ModelCheckpoint(tmp_path, "best", monitor="val/loss")
    moved.load_state_dict(_lightning.moved_best(state, str(tmp_path), str(tmp_path / "best.ckpt")))
    assert (moved.best_model_path, moved.kth_best_model_path) == (str(tmp_path / "best.ckpt"),) * 2
    assert moved.best_k_models == {str(tmp_path / "best.ckpt"): fitted.best.best_model_score}


def test_lightning_makes_an_iterator_before_it_resumes_and_uses_it_after(fitted, tmp_path):
    """So `LateLoader` can start at the batch of the resume."""
    order = []

    class Loader(torch.utils.data.DataLoader):
        def __iter__(self):
            order.append("made")
            yield from super().__iter__()

    class Resumed(Module):
        def train_dataloader(self):
            return Loader(torch.ones(6, 1), batch_size=2)

        def on_load_checkpoint(self, checkpoint):
            order.append("loaded")

    fit(tmp_path, 2, ckpt_path=fitted.folder / "middle.ckpt", kind=Resumed)
    assert order == ["loaded", "made"]


def test_a_schedule_takes_another_place_and_other_rates(fitted):
    """As `RestoreSettings` sets them."""
    schedule = fitted.module.lr_schedulers()
    assert {"last_epoch", "base_lrs", "lr_lambdas"} <= set(vars(schedule))
    assert "initial_lr" in fitted.trainer.optimizers[0].param_groups[0]
    schedule.last_epoch, schedule.base_lrs = 2, [8.0]
    schedule.step()
    assert fitted.trainer.optimizers[0].param_groups[0]["lr"] == 1.0


def test_a_failed_process_ends_the_others_in_the_way_of_the_zoo(monkeypatch):
    from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver

    monkeypatch.setattr(_ChildProcessObserver, "_terminate_all", _ChildProcessObserver._terminate_all)  # restored
    ended = []
    _lightning.end_lost_processes(ended.extend)
    failed = SimpleNamespace(returncode=1, poll=list, pid=1)
    _ChildProcessObserver(os.getpid(), [failed])._run()
    assert ended == [failed], changed("_ChildProcessObserver", "exit code 4 when a process is killed")


def test_an_average_of_weights_is_updated_by_one_method_and_knows_its_last_update(tmp_path):
    averaging = MovingAverage(0.5, torch.device("cpu"))
    fit(tmp_path, 1, averaging)
    assert averaging._latest_update_step == 3, "_latest_update_step changed; zoo/optim/averaging.py starts by it"
    average = averaging._average_model
    assert average.update_parameters == averaging._update and int(average.n_averaged) == 3


def test_lightning_has_torch_ask_nvml(monkeypatch):
    code = f"import os, lightning; print(os.environ.get('{_lightning.NVML_CHECK}'))"
    environment = {key: value for key, value in os.environ.items() if key != _lightning.NVML_CHECK}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "1", "Lightning asks NVML no longer; the trick cuda_check may go"


# -- torch


def test_torch_reports_whether_a_processor_is_fast_at_bf16():
    assert isinstance(_lightning.has_fast_bf16(on_cpu=True), bool), changed("_is_avx512_bf16_supported", "precision")


def test_a_state_carries_the_versions_of_layers():
    state = nn.BatchNorm1d(2).state_dict()
    versions = _torch.layer_versions(state)
    assert versions[""]["version"] == 2, "_metadata of a state_dict changed; checkpoints no longer give back all of it"
    del state._metadata
    assert _torch.layer_versions(state) is None
    _torch.set_layer_versions(state, versions)
    assert _torch.layer_versions(state) == versions


def test_two_optimisers_can_be_combined_into_one():
    """As `CombinedOptimizer` does for Muon: the groups that are set after the base class was."""
    weights = [nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))]
    parts = [torch.optim.SGD([weight], lr=1.0) for weight in weights]
    from zoo.optim.muon import CombinedOptimizer

    both = CombinedOptimizer(parts)
    torch.optim.lr_scheduler.LambdaLR(both, lambda step: 0.5)
    assert [part.param_groups[0]["lr"] for part in parts] == [0.5, 0.5]


# -- torchmetrics


def test_torchmetrics_counts_the_samples_of_each_class_and_of_a_regression():
    from torchmetrics.classification import MulticlassAUROC
    from torchmetrics.regression import R2Score

    from zoo.tasks._torchmetrics import class_counts, n_samples

    auroc, r2 = MulticlassAUROC(3), R2Score()
    for target in (torch.tensor([0, 2]), torch.tensor([2])):
        auroc.update(torch.eye(3)[target], target)
        r2.update(target.float(), target.float())
    assert class_counts(auroc).tolist() == [1, 0, 2], "MulticlassAUROC.target changed; AUROC of absent classes needs it"
    assert int(n_samples(r2)) == 3, "R2Score.total changed; R2 of one sample needs it"


# -- aeon


def test_aeon_contains_ten_sets_and_the_addresses_of_the_others():
    """data=ucr finds ten sets without network, and all others at Zenodo."""
    from zoo.data.sequences.splits.aeon_names import bundled_file, zenodo_record

    assert bundled_file("GunPoint", "GunPoint_TRAIN.ts").is_file()
    assert zenodo_record("GunPoint") > 0


def test_scikit_learn_keeps_the_metadata_of_openml_in_the_files_that_are_hashed(tmp_path):
    """data=openml reads tables of ZOO_DATA, and refuses metadata that changed since they were fetched."""
    from sklearn.datasets import _openml

    from zoo.data.tables._sklearn_names import openml_metadata

    for url, file in zip(
        (_openml._DATA_INFO, _openml._DATA_FEATURES, _openml._DATA_QUALITIES), openml_metadata(7), strict=True
    ):
        path = urlsplit(url.format(7)).path.lstrip("/")
        assert _openml._get_local_path(path, str(tmp_path / "openml")) == str(tmp_path / "openml" / file)
