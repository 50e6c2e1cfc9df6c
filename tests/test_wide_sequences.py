"""Tables with a sequence in each row, with and without a header."""

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.sequence_files import as_csv, curves, sizes, write

import zoo
from zoo.core.errors import UserError
from zoo.data.readers import read_labelled, read_raw

N_STEPS = 9


def rows():
    """Noisy rising and falling lines as a table of 40 rows, NaN after the end of each, and their labels."""
    values, labels = curves()
    return np.stack([np.pad(one[:, 0], (0, N_STEPS - len(one)), constant_values=np.nan) for one in values]), labels


def bare(path, columns, sep, **options):
    """Write a file without a header."""
    pd.DataFrame(columns).to_csv(path, sep=sep, header=False, index=False, **options)
    return path


def load(path, **options):
    return zoo.load_data("sequences", path=str(path), **options)


def first_channel(spec, path):
    """The values of a file's sequences, NaN after their ends."""
    batch = read_raw(spec, path)[0]
    steps = torch.arange(batch["sequence"].shape[1])
    return batch["sequence"][:, :, 0].where(steps < batch["lengths"][:, None], torch.nan).numpy()


BARE = {
    "a.tsv": ("\t", [1, 2], "first", {}),
    "b.csv": (",", ["up", "down"], "first", {}),
    "c.txt": (" ", [1.0, 2.0], "first", {"float_format": "%.9e", "na_rep": "NaN"}),
    "d.csv": (",", [0.0, 1.0], "last", {"float_format": "%.9e"}),
    "e.tsv": ("\t", ["007", "7"], "last", {"na_rep": "NaN"}),
    "f.csv": (";", [1, 2], "first", {"decimal": ","}),
    "own_TRAIN": (",", [-1, 1], "first", {}),
}


@pytest.mark.parametrize("name", BARE)
def test_a_table_without_a_header_has_a_sequence_in_each_row(tmp_path, capsys, name):
    sep, names, place, options = BARE[name]
    values, labels = rows()
    label = np.array(names)[(labels == "up").astype(int)]
    columns = {f"t{k}": column for k, column in enumerate(values.T)}
    columns = {"label": label, **columns} if place == "first" else {**columns, "label": label}
    path = bare(tmp_path / name, columns, sep, **options)
    splits = load(path)
    at = 1 if place == "first" else N_STEPS + 1
    assert f"40 rows are sequences of 9 steps, 'column {3 - min(at, 2)}' to 'column" in capsys.readouterr().out
    assert sizes(splits) == (24, 8, 8)
    assert set(splits.spec.class_names) == {str(name).removesuffix(".0") for name in names}
    assert splits.spec.target_name == f"column {at}"
    np.testing.assert_allclose(first_channel(splits.spec, path), values, rtol=1e-6)
    del columns["label"]
    new = bare(tmp_path / f"new {name}", columns, sep, **options)
    np.testing.assert_allclose(first_channel(splits.spec, new), values, rtol=1e-6)
    split = read_labelled(splits.spec, {"name": "sequences", "path": str(path)})
    assert split.columns["target"].bincount().tolist() == [20, 20]
    few = bare(tmp_path / f"few {name}", dict(list(columns.items())[:5]), sep, **options)
    with pytest.raises(UserError, match=r"a row here has 9 values, and perhaps a label; few .* has [45] columns"):
        read_raw(splits.spec, few)


def test_short_rows_of_a_table_without_a_header_end_in_padding(tmp_path):
    values, labels = rows()
    lines = [
        ",".join([label, *(f"{value:.9g}" for value in row[~np.isnan(row)])])
        for label, row in zip(labels, values, strict=True)
    ]
    full = int(np.isnan(values).sum(1).argmin())  # the first row tells how many columns there are
    order = [full, *(row for row in range(40) if row != full)]
    write(tmp_path / "own.csv", "\n".join(lines[row] for row in order))
    spec = load(tmp_path / "own.csv").spec
    np.testing.assert_allclose(first_channel(spec, tmp_path / "own.csv"), values[order], rtol=1e-6)


HEADINGS = {
    "numbered": [f"t{k}" for k in range(N_STEPS)],
    "of pandas": [str(k) for k in range(N_STEPS)],
    "seconds": [f"{k * 0.008:.3f}" for k in range(N_STEPS)],
    "of a spectrum": [f"{400.1 + k + 0.05 * (k % 3):.2f}" for k in range(N_STEPS)],
    "with units": [f"{k * 0.5:.1f} s" for k in range(N_STEPS)],
    "dates": [f"{28 + k - 31 * (k > 3)}.{1 + (k > 3):02}.2024" for k in range(N_STEPS)],
    "of one channel": [f"ch1_t{k}" for k in range(N_STEPS)],
}


@pytest.mark.parametrize("kind", HEADINGS)
@pytest.mark.parametrize("extra", ["", "id"])
def test_numbered_headings_order_the_steps_of_a_row(tmp_path, capsys, kind, extra):
    values, labels = rows()
    frame = pd.DataFrame(values, columns=HEADINGS[kind])
    frame = frame[sorted(frame.columns)].assign(label=labels)
    if extra:
        frame = frame.assign(**{extra: [f"n{k}" for k in range(40)], "age": 3})
    frame.to_csv(tmp_path / "own.csv", index=False)
    splits = load(tmp_path / "own.csv")
    out = capsys.readouterr().out
    assert f"own.csv: 40 rows are sequences of 9 steps, '{HEADINGS[kind][0]}' to '{HEADINGS[kind][-1]}'" in out
    assert ("left out are the columns age" in out) == bool(extra)
    assert splits.spec.class_names == ["down", "up"]
    np.testing.assert_allclose(first_channel(splits.spec, tmp_path / "own.csv"), values, rtol=1e-6)
    frame.drop(columns="label").to_csv(tmp_path / "new.csv", index=False)
    np.testing.assert_allclose(first_channel(splits.spec, tmp_path / "new.csv"), values, rtol=1e-6)


def test_a_row_can_hold_several_channels(tmp_path):
    random = np.random.default_rng(0)
    values = random.normal(size=(40, 12, 2))
    columns = {f"{name}_{k}": values[:, k, c] for k in range(12) for c, name in enumerate("xy")}
    pd.DataFrame({**columns, "label": np.arange(40) % 2}).to_csv(tmp_path / "own.csv", index=False)
    spec = load(tmp_path / "own.csv").spec
    assert spec.column_names == ["x", "y"]
    np.testing.assert_allclose(read_raw(spec, tmp_path / "own.csv")[0]["sequence"], values, rtol=1e-5)
    frame = pd.DataFrame({**columns, "label": np.arange(40) % 2}).drop(columns="y_3")
    frame.to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(UserError, match=r"as many columns; own\.csv has x 12, y 11"):
        load(tmp_path / "own.csv")


def test_channels_of_a_later_table_are_matched_by_name(tmp_path):
    random = np.random.default_rng(0)
    channels = {name: pd.DataFrame(random.normal(size=(40, 12))).add_prefix(f"{name}_") for name in "xyz"}
    label = pd.Series(np.arange(40) % 2, name="label")

    def table(names, *more):
        pd.concat([*(channels[name] for name in names), *more], axis=1).to_csv(tmp_path / "own.csv", index=False)
        return tmp_path / "own.csv"

    spec = load(table("xy", label)).spec
    values = np.stack([channels["x"], channels["y"]], 2)
    for path in (table("yx"), table("zyx"), table("yx", label)):
        np.testing.assert_allclose(read_raw(spec, path)[0]["sequence"], values, rtol=1e-5)
    split = read_labelled(spec, {"name": "sequences", "path": str(table("yx", label))})
    np.testing.assert_allclose(split.columns["sequence"], values, rtol=1e-5)
    with pytest.raises(UserError, match=r"no channel in own.csv 'x'; there are: y, z"):
        read_raw(spec, table("yz"))


def test_the_layout_and_the_header_are_options(tmp_path):
    values, labels = rows()
    values = np.nan_to_num(values)
    months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep"]
    frame = pd.DataFrame(values, columns=months).assign(mood=labels)
    frame.to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(UserError, match=r"data\.layout=wide"):
        load(tmp_path / "own.csv")
    spec = load(tmp_path / "own.csv", layout="wide", target="mood").spec
    np.testing.assert_allclose(first_channel(spec, tmp_path / "own.csv"), values, rtol=1e-6)
    even = np.vstack([np.arange(N_STEPS), values])
    bare(tmp_path / "even.csv", {**dict(enumerate(even.T)), 9: ["up", *labels]}, ",")
    assert len(read_raw(load(tmp_path / "even.csv", headings=False).spec, tmp_path / "even.csv")[0]["lengths"]) == 41
    named = frame.set_axis([*HEADINGS["numbered"], "mood"], axis=1)
    named.to_csv(tmp_path / "named.csv", index=False)
    assert load(tmp_path / "named.csv").spec.target_name == "mood"
    named.assign(age=3).to_csv(tmp_path / "named.csv", index=False)
    with pytest.raises(UserError, match=r"data\.target= one of mood, age"):
        load(tmp_path / "named.csv")
    with pytest.raises(UserError, match="nearest: wide"):
        load(tmp_path / "own.csv", layout="wyde")


def test_tables_with_a_row_for_each_step_are_not_mistaken(tmp_path):
    values, labels = curves()
    as_csv(tmp_path / "own.csv", values, labels)
    frame = pd.read_csv(tmp_path / "own.csv").rename(columns={"a": "x1", "b": "x2"}).assign(x3=0.5)
    frame.to_csv(tmp_path / "numbered.csv", index=False)
    frame.drop(columns="time").to_csv(tmp_path / "untimed.csv", index=False)
    for name in ("numbered.csv", "untimed.csv"):
        splits = load(tmp_path / name)
        assert splits.spec.column_names == ["x1", "x2", "x3"]
        frame[frame.id == "s3"][["x1", "x2", "x3"]].to_csv(tmp_path / "one.csv", index=False)
        assert read_raw(splits.spec, tmp_path / "one.csv")[0]["sequence"].shape == (1, len(values[3]), 3)


def test_the_train_and_test_files_of_a_folder_are_found(tmp_path):
    values, labels = rows()
    for part in ("TRAIN", "TEST"):
        columns = {"label": labels, **{f"t{k}": column for k, column in enumerate(values.T)}}
        bare(write(tmp_path / "Toy" / f"Toy_{part}.tsv", ""), columns, "\t")
    write(tmp_path / "Toy" / "README.md", "Toy")
    for path in (tmp_path / "Toy", tmp_path / "Toy" / "Toy_TRAIN.tsv"):
        splits = load(path)
        assert sizes(splits) == (32, 8, 40) and splits.spec.name == "Toy"


def test_rows_that_hold_no_values_are_named(tmp_path):
    values, labels = rows()
    columns = {"label": labels, **{f"t{k}": column for k, column in enumerate(values.T)}}
    path = bare(tmp_path / "own.tsv", columns, "\t")
    lines = path.read_text().splitlines()
    write(path, "\n".join([*lines[:4], lines[4].replace("\t", "\tmuch\t").rsplit("\t", 9)[0], *lines[5:]]))
    with pytest.raises(UserError, match=r"own\.tsv"):
        load(path)
    write(path, "\n".join([*lines[:4], lines[4].rsplit("\t", 1)[0] + "\tmuch", *lines[5:]]))
    with pytest.raises(UserError, match=r"'much' in row 5 of own\.tsv"):
        load(path)
    write(path, "\n".join([*lines, lines[0] + "\t1\t2"]))
    with pytest.raises(UserError, match="cannot be read as a table without headings"):
        load(path)
