"""Surnames: the language of a name from its characters. 20,050 names in 18 languages, nearly half of them Russian.

S. Robertson, "Classifying names with a character-level RNN", PyTorch tutorials. Names that differ only in accents
and capitals are equal, and a language keeps the first of equal ones: 17,992 rows. 477 names are in several languages;
their rows are all in one split, so that no test name is in the training split.
"""

import unicodedata

import numpy as np
import torch

from zoo.core.spec import DataSpec
from zoo.data import DATA, Facts
from zoo.data.random_split import carve
from zoo.data.sequences.inputs.tokens import encode_texts, token_inputs
from zoo.data.sources.published import read_data_file
from zoo.data.splits import Splits, TensorSplit

URL = "https://raw.githubusercontent.com/spro/practical-pytorch/c520c52e68e9/data/names/{}.txt"
SHA256 = {
    "Arabic": "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc",
    "Chinese": "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465",
    "Czech": "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7",
    "Dutch": "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3",
    "English": "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2",
    "French": "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95",
    "German": "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db",
    "Greek": "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6",
    "Irish": "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058",
    "Italian": "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4",
    "Japanese": "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f",
    "Korean": "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136",
    "Polish": "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826",
    "Portuguese": "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53",
    "Russian": "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c",
    "Scottish": "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd",
    "Spanish": "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7",
    "Vietnamese": "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d",
}
FACTS = Facts(
    task="classification",
    rows="12,967 / 1,431 / 3,594",
    inputs="text of 2 to 20 characters",
    licence="MIT",
    source="S. Robertson, practical-pytorch",
    network="fetched",
    model="rnn/ngram_gru",
)


@DATA.register("surnames")
def surnames(*, val_share: float = 0.1, split_seed: int = 0) -> Splits:
    """Load names with their languages; a fifth tests, `val_share` of the others validate, stratified by language."""
    languages = list(SHA256)
    texts = {
        name: read_data_file(f"names/{name}.txt", sha, [URL.format(name)]).decode() for name, sha in SHA256.items()
    }
    names, labels, groups = unique_names([texts[language].splitlines() for language in languages])
    rest, test = _carve_names(np.arange(len(names)), groups, labels, 0.2, split_seed)
    train, val = _carve_names(rest, groups, labels, val_share, split_seed)
    alphabet = "".join(sorted(set("".join(names[row] for row in train))))
    whole = TensorSplit(**encode_texts(alphabet, names), target=torch.from_numpy(labels))
    return Splits(
        DataSpec(
            name="surnames",
            task="classification",
            inputs=token_inputs(alphabet),
            n_outputs=len(languages),
            class_names=languages,
            target_name="language",
            reading={"alphabet": alphabet},
            licence=FACTS.licence,
            source=FACTS.source,
        ),
        train=whole.subset(train),
        val=whole.subset(val),
        test=whole.subset(test),
        groups=groups[np.concatenate([train, val])],
    )


def unique_names(by_language: list[list[str]]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Remove duplicates within each language.

    Returns:
        The names (n,), their languages (n,), and a group for each (n,), which equal names of several languages share.
    """
    rows: dict[tuple[str, int], str] = {}
    for language, names in enumerate(by_language):
        for name in map(str.strip, names):
            if name:
                rows.setdefault((_fold(name), language), name)
    groups = np.unique([folded for folded, _ in rows], return_inverse=True)[1]
    return list(rows.values()), np.array([language for _, language in rows]), groups


def _fold(name: str) -> str:
    """Remove accents and capitals."""
    return "".join(c for c in unicodedata.normalize("NFD", name) if unicodedata.category(c) != "Mn").lower()


def _carve_names(
    rows: np.ndarray, groups: np.ndarray, labels: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split `rows` by name, stratified by language; a name in several languages counts for the rarest one."""
    rarest_first = rows[np.argsort(np.bincount(labels)[labels[rows]], kind="stable")]
    names, first = np.unique(groups[rarest_first], return_index=True)
    rest, carved = carve(len(names), share, seed=seed, stratify=labels[rarest_first][first])
    return tuple(rows[np.isin(groups[rows], names[part])] for part in (rest, carved))  # type: ignore[return-value]
