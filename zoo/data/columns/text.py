"""Text as it is compared: without surrounding spaces, accents in one form."""

import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zoo.data.columns.arrow import is_number, is_text
from zoo.data.columns.numbers import CODE, as_numbers

INVISIBLE_ENDS = r"^[\s\p{Cf}]+|[\s\p{Cf}]+$"  # spaces and format characters, such as zero-width spaces


def as_text(array: pa.Array) -> pa.Array:
    """Convert a column to text (n,): stripped, accents composed (NFC), null where missing. Whole numbers become the
    same text whether they are stored as integers or floats."""
    if is_text(array.type):
        text = pc.utf8_trim_whitespace(array.cast(pa.string()))
        if pc.all(pc.string_is_ascii(text)).as_py() is not False:
            return text
        encoded = pc.utf8_trim_whitespace(pc.replace_substring_regex(text, INVISIBLE_ENDS, "")).dictionary_encode()
        # Python composes, as Arrow 25 decomposes
        composed = [unicodedata.normalize("NFC", value) for value in encoded.dictionary.to_pylist()]
        return pa.array(composed, pa.string()).take(encoded.indices)
    text = array.cast(pa.string())
    if not pa.types.is_floating(array.type):
        return text
    return pc.if_else(array.is_null(nan_is_null=True), None, pc.replace_substring_regex(text, r"\.0$", ""))


def index_in(names: Sequence[str], array: pa.Array) -> pa.Array:
    """Look up the index of each value in `names`, null where it is not there.

    Numbers and booleans also match the name that a file would parse to the same value, such as 1.1 the name "1.10".
    """
    texts, values = pa.array(names, pa.string()), as_text(array)
    indices, parsed = pc.index_in(values, texts), texts
    if pa.types.is_boolean(array.type):
        parsed = pc.utf8_lower(texts)
    elif is_number(array.type):
        codes, numbers = pc.match_substring_regex(texts, CODE), as_text(pa.array(as_numbers(texts), from_pandas=True))
        parsed = pc.if_else(codes, texts, pc.coalesce(numbers, texts))
    is_unique = pc.count_distinct(parsed).as_py() == len(names)
    return pc.coalesce(indices, pc.index_in(values, parsed)) if is_unique else indices


def sort_texts(texts: pa.Array) -> list[str]:
    """Sort distinct texts, as numbers where all are numbers."""
    numbers = as_numbers(texts)
    order = pc.sort_indices(texts) if np.isnan(numbers).any() else pa.array(np.argsort(numbers, kind="stable"))
    return texts.take(order).to_pylist()


def quoted_list(names: Sequence[str], most: int = 10) -> str:
    """Join names with commas, each in quotes; only the first `most` of them."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(f"'{name}'" for name in names[:most]) + more
