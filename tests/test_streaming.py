"""Streaming: a sequence that arrives step by step is answered like the whole, with a state of constant size."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.models import SPECS

import zoo
from zoo.core.errors import UserError
from zoo.core.spec import Column, DataSpec, Input
from zoo.data.sequences.splits.text_stream import text_splits
from zoo.inference.predictor import Predictor
from zoo.models import MODELS
from zoo.models.ensemble import Ensemble
from zoo.models.layers import Network
from zoo.models.rnn._recurrent import Recurrent

CLASSES = SPECS["sequences"]
TAGS = replace(CLASSES, task="tagging", target=Input((None,), "int64", ("time",)), causal=False)
NOTES = DataSpec(
    "notes",
    "next_step",
    {"sequence": Input((None, 4), axes=("time", "n_channels")), "lengths": Input(dtype="int64")},
    4,
    Input((None, 4), axes=("time", "n_labels")),
    class_names="abcd",
    reading={"notes": None, "columns": [*"abcd"]},
)
VALUES = replace(CLASSES, task="regression", target=Input((1,)), n_outputs=1, class_names=())
TEXT = text_splits("made", ("abcab",) * 3, 2).spec
STEPS = np.random.default_rng(0).normal(size=(7, 4))
RECURRENT = [
    name
    for name in zoo.list_models(spec=CLASSES)
    if issubclass(MODELS.get(name), Recurrent) and MODELS.get(name).step is not Network.step
]


def predictor(name="rnn/gru", spec=CLASSES, **choices):
    torch.manual_seed(0)
    model = zoo.create_model(name, spec, **{"width": 8, "bidirectional": False, **choices})
    return Predictor(model, spec, {"model": {"name": name}})


@pytest.mark.parametrize("name", RECURRENT)
def test_a_stream_answers_like_the_whole_sequence(name):
    model = predictor(name, depth=2)
    stream = model.stream()
    for t, step in enumerate(STEPS, 1):
        assert stream.send(step) == model.predict(STEPS[:t])
        np.testing.assert_allclose(stream.probabilities, model.predict_proba(STEPS[:t]), rtol=1e-3, atol=1e-5)
    assert stream.n_steps == 7


def test_every_task_of_sequences_is_streamed():
    tags = predictor(spec=TAGS)
    stream = tags.stream()
    assert [stream.send(step) for step in STEPS] == tags.predict(STEPS)
    np.testing.assert_allclose(stream.probabilities, tags.predict_proba(STEPS)[-1], rtol=1e-3, atol=1e-5)
    values = predictor(spec=VALUES)
    stream = values.stream()
    assert [stream.send(step) for step in STEPS][-1] == pytest.approx(values.predict(STEPS), abs=1e-5)
    notes, piece = predictor(spec=NOTES), (STEPS > 0).astype(float)
    stream = notes.stream()
    assert [stream.send(step) for step in piece][-1] == notes.predict(piece)
    np.testing.assert_allclose(stream.probabilities, notes.predict_proba(piece), rtol=1e-3, atol=1e-5)
    text = predictor(spec=TEXT)
    stream = text.stream()
    assert [stream.send(character) for character in "abca"][-1] == text.predict("abca")
    documents = predictor(spec=replace(TEXT, reading={**TEXT.reading, "start": "a"}))  # each begins with an "a"
    stream = documents.stream()
    first = stream.probabilities
    stream.send("b")
    np.testing.assert_allclose(stream.probabilities, documents.predict_proba("b"), rtol=1e-3, atol=1e-5)
    together = documents.predict_proba(["", "b"])  # of any lengths
    np.testing.assert_allclose(together, np.stack([first, stream.probabilities]), rtol=1e-3, atol=1e-5)


def test_an_ensemble_is_streamed():
    members = [predictor(name).model for name in ("rnn/gru", "rnn/lstm")]
    combine = predictor().task.combine
    model = Predictor(Ensemble(members, combine=combine), CLASSES, {"model": {"name": "ensemble"}})
    stream = model.stream()
    answers = [stream.send(step) for step in STEPS]
    assert answers[-1] == model.predict(STEPS)
    np.testing.assert_allclose(stream.probabilities, model.predict_proba(STEPS), rtol=1e-3, atol=1e-5)


def held_bytes():
    """Bytes of all tensors."""
    gc.collect()
    tensors = (one for one in gc.get_objects() if type(one) is torch.Tensor)
    return sum(one.nbytes for one in tensors if one.layout is torch.strided)  # other tests may leave sparse ones


def test_100_000_steps_are_read_in_bounded_memory():
    stream = predictor("rnn/lstm", pooling="attention").stream()  # step by step
    model, state = predictor(spec=replace(TAGS, causal=True), width=2).model.eval(), None  # 1,000 at once
    part, sizes = torch.from_numpy(STEPS).float().repeat(143, 1)[None, :1000], []
    with torch.inference_mode():
        for n in (1, 99):
            for _ in range(n):
                stream.send(STEPS[0])
                _, state = model.carry(state, sequence=part)
            sizes.append(held_bytes())
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (np.zeros(3), r"finite numbers \(4,\), a, b, c, d; got an array \(3,\)"),
        ([0, 0, np.inf, 0], "finite numbers"),
        ({"a": 1, "b": 2, "c": 3}, "got dict"),
        ("text", "got str"),
    ],
)
def test_steps_of_another_kind_are_refused(step, message):
    model = predictor(spec=replace(CLASSES, columns=tuple(map(Column, "abcd"))))
    with pytest.raises(UserError, match=message):
        model.stream().send(step)


def test_missing_values_are_the_last_ones_before_them():
    model = predictor(spec=replace(CLASSES, columns=tuple(map(Column, "abcd"))))
    gaps, filled = model.stream(), model.stream()
    for stream, second in ((gaps, {"a": np.nan, "b": 1, "c": 2, "d": 3}), (filled, [0, 1, 2, 3])):
        stream.send([0, 0, 0, 0])
        stream.send(second)
    assert np.array_equal(gaps.probabilities, filled.probabilities)


def test_what_cannot_be_streamed_says_why():
    with pytest.raises(UserError, match=r"model\.bidirectional=false"):
        predictor(bidirectional=True).stream()
    with pytest.raises(UserError, match="no steps"):
        Predictor(zoo.create_model("cnn/inception_time", CLASSES, width=4), CLASSES, {}).stream()
    with pytest.raises(UserError, match="use predict"):
        Predictor(zoo.create_model("fnn/mlp", SPECS["table"]), SPECS["table"], {}).stream()
    forecasts = DataSpec(
        "series",
        "forecasting",
        {"sequence": Input((5, 1), axes=("time", "n_channels"))},
        2,
        Input((2, 1), axes=("horizon", "n_channels")),
        reading={"date_column": None},
    )
    with pytest.raises(UserError, match="a window of 5 steps at once"):
        Predictor(zoo.create_model("rnn/gru", forecasts), forecasts, {}).stream()
    with pytest.raises(UserError, match="one character"):
        predictor(spec=TEXT).stream().send("ab")
    with pytest.raises(UserError, match="sent a step"):
        _ = predictor().stream().probabilities
