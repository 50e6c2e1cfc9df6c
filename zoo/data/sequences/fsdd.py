"""FSDD, the free spoken digit dataset: six speakers say ten digits fifty times each, as log-mel spectrograms.

Z. Jackson et al., "Jakobovski/free-spoken-digit-dataset" (doi 10.5281/zenodo.1342401). The official test split is
recordings 0 to 4 of each speaker and digit; leaving a speaker out tests with an unknown voice.
"""

import hashlib
import io
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zoo.core.errors import UserError, unknown_name
from zoo.core.spec import Column, DataSpec
from zoo.data import DATA, Facts
from zoo.data.sequences.files.sound import band_names, check_sound, log_mel, read_sound
from zoo.data.sequences.inputs.padding import pad, sequence_inputs
from zoo.data.sources.cache import cache_folder
from zoo.data.sources.download import fetch
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits, TensorSplit

URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e8.tar.gz"
WAVES_SHA256 = "ddb17656a0bca4c5ddace082be188ca630516dc2ef1110afe3c4e9cc71173de4"  # of all recordings, sorted by name
NAME = "fsdd/fsdd-recordings.tar"
SHA256 = "2d9fb1a6ee3b1d7f6a05d6e0c2c10be9c3bcde6f8b0ad92db469be23a4d27194"
RATE = 8000  # Hz
N_TEST, N_VAL = 5, 5  # recordings of each speaker and digit
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
FACTS = Facts(
    task="classification",
    rows="2,400 / 300 / 300",
    inputs="sequence of 15 to 229 steps, 40 channels (log-mel of 8 kHz speech)",
    licence="CC BY-SA 4.0",
    source="Z. Jackson et al., Free Spoken Digit Dataset",
    network="fetched",
)


@DATA.register("fsdd")
def fsdd(*, speaker: str | None = None, n_mels: int = 40, window: float = 25.0, hop: float = 10.0) -> Splits:
    """Load 2,400 / 300 / 300 spectrograms (time, n_mels) of ten classes; with a `speaker`, 2,250 / 250 / 500.

    Args:
        speaker: to test with, and to leave out of the other splits; None is the official split.
        n_mels: bands.
        window: milliseconds that a step covers.
        hop: milliseconds from step to step.
    """
    if speaker is not None and speaker not in SPEAKERS:
        raise unknown_name("speaker", speaker, SPEAKERS)
    check_sound(n_mels=n_mels, window=window, hop=hop)
    reading: dict[str, Any] = {"rate": RATE, "n_mels": n_mels, "window": window, "hop": hop}
    waves = _recordings()
    sequence, lengths = pad([log_mel(read_sound(wave, RATE, name)[0], **reading) for name, wave in waves.items()])
    digits, speakers, numbers = np.array([name.removesuffix(".wav").split("_") for name in waves]).T
    whole = TensorSplit(sequence=sequence, lengths=lengths, target=torch.tensor(digits.astype(np.int64)))
    whole.with_hashes(np.array([int(hashlib.sha256(wave).hexdigest()[:16], 16) for wave in waves.values()], np.uint64))
    index = numbers.astype(int)
    test = speakers == speaker if speaker else index < N_TEST
    val = ~test & (index >= N_TEST) & (index < N_TEST + N_VAL)
    return Splits(
        DataSpec(
            name="fsdd",
            task="classification",
            inputs=sequence_inputs(n_mels),
            n_outputs=10,
            class_names=[str(digit) for digit in range(10)],
            columns=[Column(band) for band in band_names(n_mels)],
            target_name="digit",
            reading=reading,
            licence=FACTS.licence,
            source=FACTS.source,
        ),
        train=whole.subset(np.flatnonzero(~test & ~val)),
        val=whole.subset(np.flatnonzero(val)),
        test=whole.subset(np.flatnonzero(test)),
    )


def _recordings() -> dict[str, bytes]:
    """Read all recordings by name, sorted, from the local archive, else from the authors' repository."""
    try:
        return waves_of(read_data_file(NAME, SHA256, []))
    except UserError as problem:
        try:
            return waves_of(fetch(URL, cache_folder() / "downloads" / "fsdd" / Path(URL).name, _read_published))
        except (OSError, UserError) as error:
            raise UserError(f"{problem}\n{URL}: {str(error).strip('<>')}") from error


def waves_of(archive: bytes) -> dict[str, bytes]:
    """Read the files <digit>_<speaker>_<number>.wav of a tar archive by name, sorted."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = {Path(entry.name).name: entry for entry in tar if entry.isreg()}
        named = sorted(name for name in members if re.fullmatch(r"\d_[a-z]+_\d+\.wav", name))
        return {name: tar.extractfile(members[name]).read() for name in named}  # type: ignore[union-attr]


def _read_published(path: Path) -> bytes:
    """Read the archive at `path`; UserError unless it holds the published recordings."""
    content = path.read_bytes()
    try:
        found = hashlib.sha256(b"".join(waves_of(content).values())).hexdigest()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"the archive is damaged ({error})") from error
    if found != WAVES_SHA256:
        raise UserError(f"not the published recordings; their sha256 is {found}, not {WAVES_SHA256}")
    return content
