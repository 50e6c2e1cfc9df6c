"""Warnings of libraries that are no concern of the user, each with the reason. All others are shown, also those of a
user's own code."""

import logging
import warnings

IGNORED = {  # beginnings of messages, as regular expressions
    ".*does not have many workers": "data in memory need none",
    "Consider setting `persistent_workers": "workers are the user's choice, by data.num_workers",
    ".*dataloader is not resumable": "the zoo's resumes in mid-epoch",
    "Checkpoint directory .* exists": "the run folder is checked and locked before",
    ".*recommended to use .*sync_dist": "metrics are reduced over processes before they are logged",
    ".*could not find the monitored key": "an epoch may be without validation",
    ".*smaller than the logging interval": "losses are logged once an epoch",
    ".*in eval mode at the start of training": "a teacher and pretrained layers are so on purpose",
    "GPU available but not used": "trainer=cpu chose so",
    r"You passed `Trainer\(accelerator='cpu', precision='16-mixed'\)`": "the zoo says so in its own words",
    "Be aware that when using `ckpt_path`": "resume=changed lists the settings that changed",
    "The checkpoint was not created with WeightAveraging": "resume=changed lists the settings that changed",
    ".*overrides the configure_model": "it shards nothing where weights are averaged",
    ".*LeafSpec.*is deprecated": "Lightning's own use of torch",
    "The `srun` command is available": "starting one process without it is right",
    "No (positive|negative) samples in targets": "classes without samples are left out of the mean, or are NaN",
    ".*Detected call of `lr_scheduler.step": "fp16 skips a first update whose gradient overflows",
    "Online softmax is disabled": "a choice of torch.compile",
    "Not enough SMs to use max_autotune_gemm": "a choice of torch.compile",
    "TensorFloat32 tensor cores": "precision is the user's choice, by trainer.precision",
}
NOTICES = ("lightning.pytorch", "lightning.fabric")  # loggers whose notices below a warning are no concern either


def ignore_library_warnings() -> None:
    """Suppress the warnings listed here, in this process."""
    for message in IGNORED:
        warnings.filterwarnings("ignore", message)
    for name in NOTICES:
        logging.getLogger(name).setLevel(logging.WARNING)
