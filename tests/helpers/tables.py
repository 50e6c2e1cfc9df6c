"""Tables with columns of every kind."""

import io

import pytest
import torch

from zoo.core.errors import UserError

N = 60


def refused(load, content, *words, **options):
    with pytest.raises(UserError) as caught:
        load(content, **options)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert len(message.splitlines()) <= 5


def kinds(splits):
    return {column.name: column.kind for column in splits.spec.columns}


def same(one, other):
    for ours, theirs in ((one.train, other.train), (one.val, other.val), (one.test, other.test)):
        assert ours.columns.keys() == theirs.columns.keys()
        for name, column in ours.columns.items():
            torch.testing.assert_close(column, theirs.columns[name], equal_nan=True)


def as_json(frame):
    return frame.to_json(orient="records", lines=True)


def as_parquet(frame):
    content = io.BytesIO()
    frame.to_parquet(content)
    return content.getvalue()
