"""Files of the aeon archives, .ts: header lines with @, then one sequence a line."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.sequences.files.samples import Sequences, decoded, without_padding
from zoo.data.sequences.files.step_table import times_of
from zoo.data.sources.packed import open_unpacked

FORM = "a line is 1.5,2,3:label, with a colon after each channel"
STEP = re.compile(r"\(([^()]*),([^(),]*)\)")  # (time,value)


def read_ts(path: Path, **options: Any) -> Sequences:
    """The sequences of a file, also packed; the options are those of `parse_ts`."""
    with open_unpacked(path) as file:
        return parse_ts(file.read(), path, **options)


def parse_ts(
    content: bytes,
    path: Path,
    *,
    labelled: bool = True,
    n_channels: int | None = None,
    encoding: str | None = None,
) -> Sequences:
    """What a file of the aeon archives holds: a sequence a line, its channels and label parted by colons, the values by
    commas; `?` is a missing value. The label is a number where the header says @targetlabel.

    Values with a time each, as (time,value), are put in the order of their times.

    Args:
        content: of the file, not packed.
        path: of the file, for messages.
        labelled: whether there must be labels.
        n_channels: where it is given, lines of as many channels and nothing more have no label, whatever the header.
        encoding: of a file that is not UTF-8; None is Windows-1252.
    """
    lines = [line.strip() for line in io.StringIO(decoded(content, path, encoding))]
    header = {
        key: value.strip() for key, _, value in (line[1:].lower().partition(" ") for line in lines if line[:1] == "@")
    }
    rows = {number: line for number, line in enumerate(lines, 1) if line and line[0] not in "@#%"}
    if not rows:
        raise UserError(f"{path} has no sequences; {FORM}")
    lines_of = {f"line {number}": _parts(line) for number, line in rows.items()}
    has_labels = header.get("targetlabel") == "true" or not header.get("classlabel", "true").startswith("false")
    if n_channels is not None:
        has_labels = any(len(parts) > n_channels for parts in lines_of.values())
    if labelled and not has_labels:
        raise UserError(f"{path} says @classlabel false, so there is nothing to learn; give a file with labels")
    labels = [parts.pop().strip() if parts else "" for parts in lines_of.values()] if has_labels else None
    channels = {f"{path.name}, {place}": [part.split(",") for part in parts] for place, parts in lines_of.items()}
    if any(line.startswith("(") for line in rows.values()):
        channels = _in_order_of_time({f"{path.name}, {place}": parts for place, parts in lines_of.items()})
        echo(f"{path.name}: the values of a sequence are put in the order of their times, which are no input")
    values = without_padding([_stacked(texts, place) for place, texts in channels.items()], path.name)
    columns = [f"channel {number}" for number in range(1, values[0].shape[1] + 1)]
    task = "regression" if header.get("targetlabel") == "true" else "classification"
    return Sequences(values, None if labels is None else pa.array(labels), list(lines_of), columns, task)


def _parts(line: str) -> list[str]:
    """The channels of a line, and its label."""
    if not line.startswith("("):
        return line.split(":")
    channels, _, label = line.rpartition(")")  # times have colons too
    return [*re.split(r"(?<=\))\s*:\s*(?=\()", f"{channels})"), *label.split(":")[1:]]


def _stacked(channels: Sequence[Sequence[str]], place: str) -> np.ndarray:
    """The values of a line as (time, n_channels)."""
    if not channels:
        raise UserError(f"{FORM}; {place} has none")
    try:
        values = [_numbers(channel) for channel in channels]
    except ValueError as error:
        raise UserError(f"values are numbers, parted by commas; {place}: {error}") from error
    if len({len(channel) for channel in values}) > 1:
        lengths = ", ".join(str(len(channel)) for channel in values)
        raise UserError(f"all channels of a sequence are equally long; {place} has {lengths} values")
    return np.stack(values, axis=1)


def _numbers(texts: Sequence[str]) -> np.ndarray:
    texts = [text.strip() for text in texts]
    return np.array([] if texts == [""] else ["nan" if text in ("?", "") else text for text in texts], np.float64)


def _in_order_of_time(lines: Mapping[str, Sequence[str]]) -> dict[str, list[list[str]]]:
    """The values of each channel of each line, of which each is written with its time."""
    steps = {place: [_steps(part, place) for part in parts] for place, parts in lines.items()}
    of_each = [(place, time) for place, channels in steps.items() for channel in channels for time, _ in channel]
    times = iter(times_of(pa.array([time for _, time in of_each]), "the times of a .ts", lambda row: of_each[row][0]))
    ordered = {}
    for place, channels in steps.items():
        timed = [sorted((next(times), value) for _, value in channel) for channel in channels]
        if any([time for time, _ in channel] != [time for time, _ in timed[0]] for channel in timed):
            raise UserError(f"all channels of a sequence are measured at the same times; those of {place} are not")
        if any(len({time for time, _ in channel}) < len(channel) for channel in timed):
            raise UserError(f"a sequence has one value for a time; {place} has two for one: leave one of them out")
        ordered[place] = [[value for _, value in channel] for channel in timed]
    return ordered


def _steps(text: str, place: str) -> list[tuple[str, str]]:
    """The times and values of a channel."""
    if STEP.sub("", text).strip(" ,"):
        raise UserError(f"values with their times are written as (time,value),(time,value); {place} has {text[:40]}")
    return [(time.strip(" \"'"), value) for time, value in STEP.findall(text)]
