"""Notes that sound together: pieces in every form, the likelihood of the next step, and pieces that are continued."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from helpers.commands import in_this_process
from helpers.sequence_files import sizes, write

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import DataSpec
from zoo.data.sequences.files.note_files import read_pieces
from zoo.data.splits import batches
from zoo.inference.evaluation import evaluate
from zoo.inference.predictor import Predictor
from zoo.tasks import create_task

VOICES = ["note0", "note1", "note2", "note3"]


def chorales(n=12, seed=0):
    """Four voices in the chords of a cadence, with rests; pieces of 4 to 12 steps."""
    random = np.random.default_rng(seed)
    pieces = []
    for _ in range(n):
        base = 48 + random.integers(0, 12) + np.array([0, 5, 7, 0])
        piece = (base[:, None] + [24, 16, 7, 0]).repeat(random.integers(1, 4), 0)
        piece[random.random(piece.shape) < 0.1] = 0
        pieces.append(piece)
    return pieces


def as_folder(path, pieces):
    for number, piece in enumerate(pieces):
        split = ("train", "valid", "test")[max(number - 9, 0)]
        (path / "jsb" / split).mkdir(parents=True, exist_ok=True)
        pd.DataFrame(piece, columns=VOICES).to_csv(path / "jsb" / split / f"chorale_{number:02}.csv", index=False)
    return path / "jsb"


def as_json(path, pieces):
    steps = [[[int(pitch) for pitch in step if pitch] for step in piece] for piece in pieces]
    return write(path / "jsb.json", json.dumps({"train": steps[:10], "valid": steps[10:11], "test": steps[11:]}))


def as_long_table(path, pieces):
    frames = [pd.DataFrame(piece, columns=VOICES).replace(0, np.nan).assign(piece=k) for k, piece in enumerate(pieces)]
    pd.concat(frames).rename_axis("time").reset_index().to_csv(path / "jsb.csv", index=False)
    return path / "jsb.csv"


def as_rolls(path, pieces):
    rolls = np.zeros((len(pieces), max(map(len, pieces)), 88))
    for roll, piece in zip(rolls, pieces, strict=True):
        for step, pitches in enumerate(piece):
            roll[step, pitches[pitches > 0] - 21] = 1
    np.savez(path / "jsb.npz", X=rolls, lengths=[len(piece) for piece in pieces])
    return path / "jsb.npz"


def rolls_of(splits):
    """Steps and next steps of all pieces, and that these are the same but for their shift."""
    found = set()
    for split in (splits.train, splits.val, splits.test):
        for one in map(split.__getitem__, range(len(split))):
            sequence, target = one["sequence"][: one["lengths"]], one["target"][: one["lengths"]]
            assert torch.equal(sequence[1:], target[:-1]) and one["target"][one["lengths"] :].isnan().all()
            found.add(torch.cat([sequence, target[-1:]]).numpy().tobytes())
    return found


def test_every_form_of_pieces_gives_the_same_notes(tmp_path):
    pieces = chorales()
    paths = [form(tmp_path, pieces) for form in (as_folder, as_json, as_long_table, as_rolls)]
    found = [zoo.load_data("notes", path=str(path)) for path in paths]
    assert [sizes(splits) for splits in found] == [(10, 1, 1), (10, 1, 1), (8, 2, 2), (8, 2, 2)]
    assert all(rolls_of(splits) == rolls_of(found[0]) for splits in found) and len(rolls_of(found[0])) == 12
    spec = found[0].spec
    assert spec.class_names == [str(pitch) for pitch in range(21, 109)] and spec.causal
    assert DataSpec.from_json(spec.to_json()) == spec
    assert found[3].spec.class_names[0] == "channel 1"  # of a piano roll the columns are the labels


@pytest.fixture
def trained(tmp_path):
    """An untrained model of chorales, and its splits."""
    splits = zoo.load_data("notes", path=str(as_folder(tmp_path, chorales())))
    torch.manual_seed(0)
    model = zoo.create_model("rnn/gru", splits.spec, width=8)
    return Predictor(model, splits.spec, {"model": {"name": "rnn/gru"}}), splits


@torch.inference_mode()
def test_the_likelihood_is_that_of_a_step_summed_over_the_notes(trained):
    model, splits = trained
    batch, total, n = splits.train.columns, 0.0, 0
    for sequence, target, length in zip(batch["sequence"], batch["target"], batch["lengths"], strict=True):
        logits = model.model(sequence=sequence[None, :length], lengths=length[None])[0]
        total += float(F.binary_cross_entropy_with_logits(logits, target[:length], reduction="sum"))
        n += int(length)
    measured = evaluate(model, splits.train)[0]
    assert measured["nll"] == pytest.approx(total / n, rel=1e-5) == measured["loss"]


def test_frames_are_measured_by_notes_found_missed_and_wrong(trained):
    task = create_task(trained[1].spec)
    target, output = torch.zeros(1, 3, 88), torch.full((1, 3, 88), -9.0)
    target[0, 0, [5, 6, 7]], target[0, 2] = 1, torch.nan  # the last step is padding
    output[0, 0, [6, 7, 8]], output[0, 2] = 9, 9
    metrics = task.metrics()
    task.measure(metrics, output, target, torch.clone)
    values = metrics.compute()
    assert float(values["accuracy"]) == pytest.approx(2 / 4) and float(values["f1"]) == pytest.approx(4 / 6)
    assert task.count(target) == 2


def test_the_naive_answer_knows_how_often_notes_go_on(trained):
    _, splits = trained
    train = splits.train.columns
    answer = create_task(splits.spec).naive(train)["persistence of each label"]
    p = answer(train).sigmoid()
    known = ~train["target"][..., 0].isnan()
    held = (train["sequence"][known] > 0.5) & (train["target"][known] > 0.5)
    share = held.sum() / (train["sequence"][known] > 0.5).sum()
    assert p[known][train["sequence"][known] > 0.5].mean() == pytest.approx(float(share), abs=0.1)
    assert p.isfinite().all() and p.min() > 0 and p.max() < 1


def test_a_network_starts_from_the_share_of_each_note(trained):
    model, splits = trained
    model.model.fit(batches(splits.train), batches(splits.train))
    target = splits.train.columns["target"]
    share = target[~target[..., 0].isnan()].mean(0)
    torch.testing.assert_close(model.model.network.head.bias.sigmoid(), share, rtol=0, atol=0.02)
    before = evaluate(model, splits.train)[0]["nll"]
    assert before < 20 < 88 * np.log(2)


def test_raw_pieces_of_every_form_are_answered_alike(trained, tmp_path):
    model, _ = trained
    piece = chorales(1, seed=3)[0]
    pd.DataFrame(piece, columns=VOICES).to_csv(tmp_path / "new.csv", index=False)
    roll = np.zeros((len(piece), 88))
    for step, pitches in enumerate(piece):
        roll[step, pitches[pitches > 0] - 21] = 1
    steps = [[int(pitch) for pitch in step if pitch] for step in piece]
    forms = [tmp_path / "new.csv", piece, roll, steps, pd.DataFrame(piece, columns=VOICES)]
    first = model.predict_proba(forms[0])
    assert first.shape == (88,)
    assert all(np.array_equal(model.predict_proba(form), first) for form in forms)
    np.testing.assert_allclose(model.predict_proba([steps, steps[:1]])[0], first, rtol=1e-4, atol=1e-6)
    assert model.predict([steps, steps[:1]]) == [model.predict(steps), model.predict(steps[:1])]  # padded at the end


def test_a_piece_is_continued_as_the_seed_says(trained):
    model, _ = trained
    piece = chorales(1, seed=3)[0]
    notes = model.generate(piece, n=6, seed=1)
    assert notes == model.generate(piece, n=6, seed=1) != model.generate(piece, n=6, seed=2)
    assert len(notes) == 6 and {int(pitch) for step in notes for pitch in step} <= set(range(21, 109))
    again = model.generate([*piece.tolist(), *[[int(pitch) for pitch in step] for step in notes]], n=1)
    assert len(again) == 1
    for mistake in ({"temperature": 0.0}, {"n": -1}, {"prompt": [piece, piece]}):
        with pytest.raises(UserError):
            model.generate(**{"prompt": piece, **mistake})


def as_numbered(path, column, form="{}"):
    frames = [pd.DataFrame(piece).assign(**{column: form.format(k)}) for k, piece in enumerate(chorales())]
    pd.concat(frames).to_csv(path / "a.csv", index=False)
    return path / "a.csv"


def test_the_tenor_of_four_voices_is_not_taken_for_the_time(tmp_path):
    table = pd.DataFrame(chorales(1)[0], columns=["s", "a", "t", "b"])
    pieces = {}
    for name, column in (("tenor", "t"), ("third", "third")):
        table.rename(columns={"t": column}).to_csv(tmp_path / f"{name}.csv", index=False)
        pieces[name] = read_pieces(tmp_path / f"{name}.csv", {}).values[0]
    assert np.array_equal(pieces["tenor"], pieces["third"]) and pieces["tenor"].shape[1] == 4


def test_voices_that_are_read_as_a_series_get_a_hint(tmp_path, capsys):
    pd.DataFrame(np.concatenate(chorales(20)), columns=VOICES).to_csv(tmp_path / "jsb.csv", index=False)
    zoo.load_data("series", path=str(tmp_path / "jsb.csv"))
    assert "Notes are continued by data=notes" in capsys.readouterr().out


BAD = {
    "no files": (lambda path: path, "holds none"),
    "text": (lambda path: write(path / "a.json", "do re mi"), "no JSON"),
    "another split": (lambda path: write(path / "a.json", '{"trian": []}'), "'trian'"),
    "steps that are no lists": (lambda path: write(path / "a.json", '[[["C4"]]]'), "a list of pitches as MIDI numbers"),
    "half a note": (lambda path: write(path / "a.json", "[[[60.5]], [[60], [61]]]"), "has 60.5 in step 1"),
    "beyond MIDI": (lambda path: write(path / "a.json", "[[[60], [300]]]"), "has 300 in step 2"),
    "silence": (lambda path: write(path / "a.json", "[[[], []], [[], []], [[], []]]"), "no step of these pieces"),
    "one step each": (lambda path: write(path / "a.json", "[[[60]], [[61]]]"), "at least two steps"),
    "two pieces": (lambda path: write(path / "a.json", "[[[60], [61]], [[62], [63]]]"), "too few"),
    "one chord": (
        lambda path: write(path / "a.json", "[[[60], [60]], [[60], [60]], [[60], [60]]]"),
        "nothing to learn",
    ),
    "ids of another name": (lambda path: as_numbered(path, "nr"), "say data.id=nr"),
    "ids of letters": (lambda path: as_numbered(path, "nr", "piece {}"), "say data.id=nr"),
    "names of notes": (lambda path: write(path / "a.csv", "note0,note1\nC4,E4\n"), "holds pitches as MIDI numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pieces_end_in_one_message(tmp_path, case):
    make, message = BAD[case]
    with pytest.raises(UserError, match=message) as caught:
        zoo.load_data("notes", path=str(make(tmp_path)))
    assert len(str(caught.value).splitlines()) <= 5


def test_chorales_are_learnt_measured_and_continued_by_commands(tmp_path, monkeypatch):
    folder, run = as_folder(tmp_path, chorales()), tmp_path / "run"
    zoo.train(zoo.config("rnn/gru", "data=notes", f"data.path={folder}", "trainer=debug", width=8), run)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "What comes next" in page and "persistence of each label" in page
    piece = next((folder / "test").iterdir())
    words = [f"weights={run}", f"input={piece}", f"output={tmp_path / 'more.csv'}", "length=5"]
    assert in_this_process("predict", words, monkeypatch) in (0, None)
    assert pd.read_csv(tmp_path / "more.csv", keep_default_na=False)["step"].tolist() == [1, 2, 3, 4, 5]
