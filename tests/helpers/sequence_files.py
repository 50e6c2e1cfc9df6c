"""Files of sequences in every supported format."""

import numpy as np
import pandas as pd

SOUND = {"rate": 8000, "n_mels": 20, "window": 25.0, "hop": 10.0}


def sizes(splits):
    return len(splits.train), len(splits.val), len(splits.test)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content, encoding="utf-8")
    return path


def tone(frequency, seconds, rate=8000, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def curves(n=40, seed=0):
    """Noisy rising and falling lines of 5 to 9 steps in two channels, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    lengths = random.integers(5, 10, n)
    values = [
        np.stack([(1 - 2 * label) * np.arange(k) + random.normal(size=k), random.normal(size=k)], 1).astype(np.float32)
        for label, k in zip(labels, lengths, strict=True)
    ]
    return values, np.array(["up", "down"])[labels]


def as_npz(path, values, labels):
    padded = np.zeros((len(values), max(map(len, values)), 2))
    for row, sequence in zip(padded, values, strict=True):
        row[: len(sequence)] = sequence
    np.savez(path, X=padded, y=labels, lengths=[len(sequence) for sequence in values])


def as_npy(path, values, labels):
    as_npz(path.with_suffix(".npz"), values, labels)
    with np.load(path.with_suffix(".npz")) as arrays:
        for name in arrays:
            np.save(path.parent / f"{path.stem if name == 'X' else name}.npy", arrays[name])


def frame_of(values, labels):
    rows = [
        {"id": f"s{k}", "time": t, "a": float(step[0]), "b": float(step[1]), "label": label}
        for k, (sequence, label) in enumerate(zip(values, labels, strict=True))
        for t, step in enumerate(sequence)
    ]
    return pd.DataFrame(rows)


def as_csv(path, values, labels):
    frame_of(values, labels).to_csv(path, index=False)


def as_ts(path, values, labels):
    lines = [":".join(",".join(map(str, channel)) for channel in sequence.T) for sequence in values]
    text = "\n".join(f"{line}:{label}" for line, label in zip(lines, labels, strict=True))
    write(path, f"@classLabel true up down\n@data\n{text}\n")


def edited(edit):
    """Write a table of steps after `edit` changed it."""

    def make(path):
        frame = frame_of(*curves())
        edit(frame).to_csv(path / "own.csv", index=False)
        return path / "own.csv"

    return make


def arrays(**changes):
    def make(path):
        whole = {"X": np.ones((10, 4, 2)), "y": np.arange(10) % 2, "lengths": np.full(10, 4)}
        np.savez(path / "own.npz", **{name: value for name, value in (whole | changes).items() if value is not None})
        return path / "own.npz"

    return make


def with_cell(row, column, value):
    def edit(frame):
        frame[column] = frame[column].astype(object)
        frame.loc[row, column] = value
        return frame

    return edited(edit)
