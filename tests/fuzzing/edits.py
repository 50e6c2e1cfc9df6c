"""Edits of valid files, as bytes and as trees. An edit is a tuple of plain values, so that cases shrink and print."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

Edit = tuple[str, int, int]
Case = tuple[int, list[Edit]]

PLACE = st.integers(0, 1 << 20)
OPERATIONS = ("flip", "cut", "repeat", "splice", "size", "token")
SIZES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
TOKENS: tuple[bytes, ...] = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r", b"\r\n", b",", b";", b"\t", b'"', b"'", b":", b"\\"),
    *(b"nan", b"-inf", b"1e999", b"1,5", b"?", b"true", b"2024-02-30", b"0000-00-00", b"-1", b"9" * 400),
    *(b"../../../etc/passwd", b"/etc/passwd", b"=cmd()", b"\xd8\x00", b"\xf0\x9f\x98\x80", b"a" * 5000, b"[" * 5000),
    *(b"!!python/object/apply:os.system ['true']", b"&a [*a, *a]", b"{{", b"${oc.env:HOME}", b"@data", b"%s"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 1 << 31, 1 << 63, 1 << 200, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "\0", "a" * 5000, "../../etc/passwd", "/etc/passwd", "😀\ud800", "float32", "int64", "object", "none"),
    *("classification", "regression", "forecasting", "language_modelling", "numeric", "categorical", "date"),
    *([], {}, [None], [0], [-1], [1 << 40], ["a", "a"], {"": None}, {"name": "x"}, [[[[[[]]]]]]),
)
DEEP = 20_000


def edited(n_seeds: int, most: int = 5) -> st.SearchStrategy[Case]:
    """Draw the number of a seed, and edits of its bytes."""
    edit = st.tuples(st.sampled_from(OPERATIONS), PLACE, PLACE)
    return st.tuples(st.integers(0, n_seeds - 1), st.lists(edit, max_size=most))


def edit_bytes(seeds: Sequence[bytes], case: Case) -> bytes:
    """Apply edits to a seed."""
    content = seeds[case[0]]
    for operation, place, what in case[1]:
        content = _edit(seeds, content, operation, place % (len(content) + 1), what)
    return content


def _edit(seeds: Sequence[bytes], content: bytes, operation: str, at: int, what: int) -> bytes:
    before, after = content[:at], content[at:]
    if operation == "flip":
        return before + bytes([after[0] ^ (1 << what % 8)]) + after[1:] if after else content
    if operation == "cut":
        return before + after[1 + what % 64 :] if what % 4 else before
    if operation == "repeat":
        return before + after[: 1 + what % 64] * (2 + what % 40) + after
    if operation == "splice":
        other = seeds[what % len(seeds)]
        return before + other[what % (len(other) + 1) :]
    if operation == "size":
        width = (1, 2, 4, 8)[what % 4]
        number = SIZES[what // 8 % len(SIZES)] % (1 << 8 * width)
        return before + number.to_bytes(width, "little" if what // 4 % 2 else "big") + after[width:]
    return before + TOKENS[what % len(TOKENS)] + after


def tree_edits(most: int = 3) -> st.SearchStrategy[list[Edit]]:
    """Draw edits of a JSON tree."""
    operation = st.sampled_from(("set", "delete", "add", "copy", "wrap"))
    return st.lists(st.tuples(operation, PLACE, PLACE), min_size=1, max_size=most)


def edit_tree(tree: Any, edits: Sequence[Edit]) -> Any:
    """Apply edits to a copy of a tree of lists, dicts and values."""
    root = [_copied(tree)]
    for operation, place, what in edits:
        spots = [(root, 0), *_spots(root[0])]
        parent, key = spots[place % len(spots)]
        other_parent, other_key = spots[what % len(spots)]
        if operation == "set":
            parent[key] = _copied(VALUES[what % len(VALUES)])
        elif operation == "delete" and parent is not root:
            del parent[key]
        elif operation == "add" and isinstance(parent[key], dict | list):
            _add(parent[key], what)
        elif operation == "copy":
            parent[key] = _copied(other_parent[other_key])
        elif operation == "wrap":
            parent[key] = [parent[key]] if what % 2 else {"a": parent[key]}
    return root[0]


def _add(node: Any, what: int) -> None:
    value = _copied(VALUES[what % len(VALUES)])
    if isinstance(node, list):
        node.append(value)
    else:
        node[("extra", "name", "", "shape")[what % 4]] = value


def _spots(node: Any) -> list[tuple[Any, Any]]:
    """List every value in a tree, as its list or dict and its key."""
    keys: Any = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [spot for key in keys for spot in ((node, key), *_spots(node[key]))]


def _copied(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _copied(value) for key, value in node.items()}
    return [_copied(value) for value in node] if isinstance(node, list | tuple) else node


def nested(n: int = DEEP) -> str:
    """Return deeply nested JSON, which is YAML too."""
    return "[" * n + "]" * n
