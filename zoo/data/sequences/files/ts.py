"""The .ts files of the aeon archives: header lines with @, then one sequence a line."""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.sequences.files.samples import Samples, decode, strip_padding
from zoo.data.sequences.files.time_values import numeric_times
from zoo.data.sources.packed import open_unpacked

EXAMPLE = "a line is 1.5,2,3:label, with a colon after each channel"
TIMED_VALUE = re.compile(r"\(([^()]*),([^(),]*)\)")  # (time,value)


def read_ts(path: Path, **options: Any) -> Samples:
    """Read the sequences of a file, also a packed one; the options are those of `parse_ts`."""
    with open_unpacked(path) as file:
        return parse_ts(file.read(), path, **options)


def parse_ts(
    content: bytes,
    path: Path,
    *,
    labelled: bool = True,
    n_channels: int | None = None,
    encoding: str | None = None,
) -> Samples:
    """Parse a .ts file: colons between the channels and the label of a line, commas between values, `?` for a gap.

    The label is a number where the header has @targetlabel. Values with a time each, (time,value), are sorted by it.

    Args:
        content: of the file, not packed.
        path: of the file, for messages.
        labelled: whether there must be labels.
        n_channels: lines with just as many parts have no label, whatever the header says; None goes by the header.
        encoding: of a file that is not UTF-8; None is Windows-1252.
    """
    lines = [line.strip() for line in io.StringIO(decode(content, path, encoding))]
    header = _parse_header(lines)
    rows = {f"line {number}": line for number, line in enumerate(lines, 1) if line and line[0] not in "@#%"}
    if not rows:
        raise UserError(f"{path} has no sequences; {EXAMPLE}")
    parts = {place: _split(line) for place, line in rows.items()}
    has_labels = header.get("targetlabel") == "true" or not header.get("classlabel", "true").startswith("false")
    if n_channels is not None:
        has_labels = any(len(row) > n_channels for row in parts.values())
    if labelled and not has_labels:
        raise UserError(f"{path} says @classlabel false, so there is nothing to learn; give a file with labels")
    labels = pa.array([row.pop().strip() if row else "" for row in parts.values()]) if has_labels else None
    values = strip_padding(_parse_values(rows.values(), parts, path.name), path.name)
    columns = [f"channel {number}" for number in range(1, values[0].shape[1] + 1)]
    task = "regression" if header.get("targetlabel") == "true" else "classification"
    return Samples(values, labels, list(rows), columns, task)


def _parse_header(lines: Iterable[str]) -> dict[str, str]:
    """The fields of the lines that start with @, in small letters."""
    fields = (line[1:].lower().partition(" ") for line in lines if line.startswith("@"))
    return {key: value.strip() for key, _, value in fields}


def _split(line: str) -> list[str]:
    """Split a line into its channels and its label."""
    if not line.startswith("("):
        return line.split(":")
    channels, _, label = line.rpartition(")")  # times have colons too
    return [*re.split(r"(?<=\))\s*:\s*(?=\()", f"{channels})"), *label.split(":")[1:]]


def _parse_values(rows: Iterable[str], parts: Mapping[str, Sequence[str]], name: str) -> list[np.ndarray]:
    """The values (time, n_channels) of each line, whose channels are `parts` by the line's place."""
    channels = {f"{name}, {place}": list(row) for place, row in parts.items()}
    if not any(row.startswith("(") for row in rows):
        return [_stack([channel.split(",") for channel in row], place) for place, row in channels.items()]
    echo(f"{name}: the values of a sequence are put in the order of their times, which are no input")
    return [_stack(row, place) for place, row in _sort_by_time(channels).items()]


def _stack(channels: Sequence[Sequence[str]], place: str) -> np.ndarray:
    """The values of a line, one list of texts a channel, as numbers (time, n_channels)."""
    if not channels:
        raise UserError(f"{EXAMPLE}; {place} has none")
    try:
        values = [_parse_numbers(channel) for channel in channels]
    except ValueError as error:
        raise UserError(f"values are numbers, separated by commas; {place}: {error}") from error
    if len({len(channel) for channel in values}) > 1:
        lengths = ", ".join(str(len(channel)) for channel in values)
        raise UserError(f"all channels of a sequence are equally long; {place} has {lengths} values")
    return np.stack(values, axis=1)


def _parse_numbers(texts: Sequence[str]) -> np.ndarray:
    texts = [text.strip() for text in texts]
    return np.array([] if texts == [""] else ["nan" if text in ("?", "") else text for text in texts], np.float64)


def _sort_by_time(lines: Mapping[str, Sequence[str]]) -> dict[str, list[list[str]]]:
    """Sort the values of each channel of each line by the times that are written with them."""
    steps = {place: [_split_times(channel, place) for channel in channels] for place, channels in lines.items()}
    written = [(place, time) for place, channels in steps.items() for channel in channels for time, _ in channel]
    array = pa.array([time for _, time in written])
    times = iter(numeric_times(array, "the times of a .ts", lambda row: written[row][0]))
    ordered = {}
    for place, channels in steps.items():
        timed = [sorted((next(times), value) for _, value in channel) for channel in channels]
        _check_times([[time for time, _ in channel] for channel in timed], place)
        ordered[place] = [[value for _, value in channel] for channel in timed]
    return ordered


def _check_times(channels: Sequence[Sequence[float]], place: str) -> None:
    """Raise UserError unless all channels have the same times, each once."""
    if any(times != channels[0] for times in channels):
        raise UserError(f"all channels of a sequence are measured at the same times; those of {place} are not")
    if any(len(set(times)) < len(times) for times in channels):
        raise UserError(f"a sequence has one value for a time; {place} has two for one: leave one of them out")


def _split_times(text: str, place: str) -> list[tuple[str, str]]:
    """The times and values of a channel."""
    if TIMED_VALUE.sub("", text).strip(" ,"):
        raise UserError(f"values with their times are written as (time,value),(time,value); {place} has {text[:40]}")
    return [(time.strip(" \"'"), value) for time, value in TIMED_VALUE.findall(text)]
