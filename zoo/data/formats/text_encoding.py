"""The encoding of text files: UTF-8 and UTF-16 are detected, any other is an option."""

import codecs
import contextlib
import encodings.aliases
from pathlib import Path

from zoo.core.errors import UserError, unknown_name


def check_encoding(encoding: str | None) -> None:
    """Raise UserError unless Python knows the encoding."""
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        raise unknown_name("encoding", encoding, set(encodings.aliases.aliases.values())) from None


def undecodable(path: Path, encoding: str | None) -> UserError:
    """Build the error for a file that is neither UTF-8 nor in the given encoding."""
    other = "another, such as data.encoding=cp1252" if encoding else "its encoding, such as data.encoding=shift_jis"
    return UserError(f"{path} is neither UTF-8 nor {encoding or 'Windows-1252'}\nsave it as UTF-8, or give {other}")


def decode_sample(sample: bytes, encoding: str, utf8: bool) -> tuple[str, str]:
    """Detect the encoding of a file from its first bytes; return its name and the decoded bytes.

    Args:
        sample: the first bytes.
        encoding: of files that are neither UTF-16 with a byte order mark nor UTF-8.
        utf8: whether the file may be UTF-8.
    """
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf16", sample[: len(sample) // 2 * 2].decode("utf-16", errors="ignore")
    if utf8:
        with contextlib.suppress(UnicodeDecodeError):
            return "utf8", codecs.getincrementaldecoder("utf-8-sig")().decode(sample)
    return encoding, codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample).removeprefix("\ufeff")
