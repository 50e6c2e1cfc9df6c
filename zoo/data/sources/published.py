"""Files of published data sets: from ZOO_DATA, from the cache, or fetched from their owner; always checked by hash."""

import contextlib
import hashlib
import http.client
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.sources.cache import cache_folder, cached, folder_from_variable, user_cache_folder
from zoo.data.sources.download import fetch
from zoo.data.sources.packed import PACKINGS

MAX_UNPACKED = 2 << 30  # bytes
DAMAGE_ERRORS = (OSError, EOFError, KeyError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


def read_data_file(
    name: str, sha256: str | None, urls: Sequence[str], member: str | None = None, *, packed: str | None = None
) -> bytes:
    """Return the content of one published data file.

    Looks in ZOO_DATA and then in the cache: for `name`, for `name`.gz or `name`.xz, and for the file of a URL in the
    same folder. Then tries each URL in turn. What was fetched or unpacked is cached.

    Without a `sha256`, the hash of the content of a packed file that has the right hash is cached too. Until then an
    unpacked file in ZOO_DATA cannot be checked: it is used, and a line says so.

    Args:
        name: path within ZOO_DATA and the cache, such as "MNIST/raw/train-images-idx3-ubyte".
        sha256: of the content; None where only `packed` is known.
        urls: where to fetch from: the file itself, compressed, or in a tar or zip archive.
        member: the file's path within the URLs' archives.
        packed: "md5:..." or "sha256:..." of the file at the URLs; checked where there is no `sha256`.

    Raises:
        UserError: when no place has the published file; names each place with what was wrong there.
    """
    file = _DataFile(name, sha256 or _cached_hash(name), packed, tuple(urls), member)
    problems: list[str] = []
    for place, attempt in file.attempts():
        try:
            content = attempt()
        except (OSError, http.client.HTTPException, UserError) as error:
            problems.append(f"{place}: {str(error).strip('<>')}")
            continue
        if sha256 and Path(place).name != Path(name).name:
            _write_to_cache(name, content)
        if not file.sha256 and file.is_packed and place != str(file.unchecked):
            _write_to_cache(f"{name}.sha256", hashlib.sha256(content).hexdigest().encode())
        for problem in problems:
            echo(f"skipped {problem}")
        return content
    raise UserError("\n".join([f"could not obtain {name}", *problems, _advice(file, exact=bool(sha256))]))


@dataclass(frozen=True)
class _DataFile:
    """One data file: the arguments of `read_data_file`, with the `sha256` that an earlier read may have cached."""

    name: str
    sha256: str | None
    packed: str | None
    urls: tuple[str, ...]
    member: str | None

    @property
    def is_packed(self) -> bool:
        """Whether the file is published inside another one."""
        return self.name not in map(self.beside, self.urls)

    @property
    def unchecked(self) -> Path | None:
        """The unpacked file in ZOO_DATA, where only the hash of the packed one is known."""
        own = folder_from_variable("ZOO_DATA")
        return own / self.name if own and not self.sha256 and self.is_packed else None

    def beside(self, url: str) -> str:
        """The path of a URL's file in the folder of `name`."""
        return str(Path(self.name).with_name(Path(urlsplit(url).path).name))

    def attempts(self) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Each place to try, with a function that reads the content there."""
        for path in self._local_paths():
            if path != self.unchecked:
                yield str(path), partial(self._checked_content, path)
        if self.unchecked and self.unchecked.is_file():
            yield str(self.unchecked), partial(_read_unchecked, self.unchecked)
        for url in self.urls:
            target = cache_folder() / "downloads" / self.beside(url)
            yield url, partial(fetch, url, target, self._checked_content)

    def _local_paths(self) -> list[Path]:
        """Files in ZOO_DATA and the caches that may hold the content; unpacked ones first."""
        own = folder_from_variable("ZOO_DATA")
        folders = [*([own] if own else []), cache_folder(), user_cache_folder()]
        packed = [*(self.name + suffix for suffix in PACKINGS), *map(self.beside, self.urls)]
        paths = [folder / self.name for folder in folders] + [folder / form for folder in folders for form in packed]
        return [path for path in dict.fromkeys(paths) if os.path.isfile(path)]

    def _checked_content(self, path: Path) -> bytes:
        """The content that the file at `path` holds, checked by its own hash or by that of the packed file."""
        try:
            is_plain = path.name == Path(self.name).name
            content = path.read_bytes() if is_plain else _unpack(path, self.member)
            found = hashlib.sha256(content).hexdigest()
            if found == self.sha256:
                return content
            algorithm, _, expected = (self.packed or f"sha256:{self.sha256}").partition(":")
            if self.packed:
                with open(path, "rb") as file:
                    found = hashlib.file_digest(file, algorithm).hexdigest()
        except DAMAGE_ERRORS as error:
            raise UserError(f"the file is damaged ({error})") from error
        if found != expected:
            raise UserError(f"not the published file; its {algorithm} is {found}, not {expected}")
        return content


def _cached_hash(name: str) -> str | None:
    """The sha256 of the content that an earlier read found in a packed file with the right hash."""
    with contextlib.suppress(OSError):
        return (cache_folder() / f"{name}.sha256").read_text().strip()
    return None


def _read_unchecked(path: Path) -> bytes:
    content = path.read_bytes()
    echo(f"{path} is used unchecked: its hash is not known here, only that of a packed file, if any")
    return content


def _advice(file: _DataFile, *, exact: bool) -> str:
    own = folder_from_variable("ZOO_DATA") or Path("<folder>")
    published = own / (file.beside(file.urls[0]) if file.urls else file.name)
    form = f"as it is or as .gz or .xz, at {own / file.name}" if exact else f"as published, at {published}"
    return f"put the file, {form} and set ZOO_DATA to {own}"


def _unpack(path: Path, member: str | None) -> bytes:
    """The content of a compressed file, or of the `member` of an archive; writes nothing to disk."""
    if member and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            return _read_bounded(file)
    if member and tarfile.is_tarfile(path):
        with tarfile.open(path, "r|*") as tar:
            for entry in tar:
                if entry.name == member and entry.isreg():
                    return _read_bounded(tar.extractfile(entry))  # type: ignore[arg-type]
        raise KeyError(f"no {member} in it")
    with open(path, "rb") as file:
        head = file.read(8)
        file.seek(0)
        packing = next((one for one in PACKINGS.values() if head.startswith(one.magic)), None)
        return _read_bounded(packing.open(file) if packing else file)


def _read_bounded(file: IO[bytes]) -> bytes:
    """The content of a file; OSError for more than `MAX_UNPACKED` bytes, as of a decompression bomb."""
    chunks, size = [], 0
    while chunk := file.read(1 << 20):
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_UNPACKED:
            raise OSError(f"unpacks to more than {MAX_UNPACKED >> 30} GB")
    return b"".join(chunks)


def _write_to_cache(name: str, content: bytes) -> None:
    """Write a file of the cache atomically; a cache that cannot be written to only costs time."""
    path = cache_folder() / name
    try:
        cached(path, lambda place: place.write_bytes(content), is_whole=lambda _: False)
    except (OSError, UserError) as error:
        echo(f"{path} is not cached: {str(error).splitlines()[0]}")
