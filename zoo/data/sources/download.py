"""Files of data sets: from the folder ZOO_DATA, from the cache, or fetched from their owner; always hash-checked."""

import contextlib
import functools
import gzip
import hashlib
import http.client
import lzma
import os
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from zoo.core.console import print
from zoo.core.errors import UserError
from zoo.data.sources.cache import cache_folder, cache_place, kept, named_folder, own_cache_folder

UNPACK: dict[str, tuple[bytes, Callable[..., Any]]] = {
    ".gz": (b"\x1f\x8b", gzip.open),
    ".xz": (b"\xfd7zXZ\0", lzma.open),
}
LARGEST = 2 << 30  # bytes a packed file may unpack to
DAMAGE = (OSError, EOFError, KeyError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


class Hashes(NamedTuple):
    """What the content of a file is known by: its own sha256, as published or as found in a published packed file, and
    the hash of that packed file, as "md5:..." or "sha256:..."."""

    content: str | None
    packed: str | None


def read(
    name: str, sha256: str | None, urls: Sequence[str], member: str | None = None, *, packed: str | None = None
) -> bytes:
    """The content of one data file, never other than the published one.

    Looked for in ZOO_DATA and then in the cache: as `name`, packed as `name`.gz or `name`.xz, or as the file of a URL
    in the same folder. Then each URL is tried in turn. What is fetched or unpacked is kept in the cache.

    Where no `sha256` is known, that of the content of a packed file whose hash holds is kept in the cache too. Before
    that, an unpacked file in ZOO_DATA cannot be checked: it is taken, which is said.

    Args:
        name: path within ZOO_DATA and the cache, such as "MNIST/raw/train-images-idx3-ubyte".
        sha256: of the content; None where only `packed` is known.
        urls: places to fetch from; the file itself, packed, or a tar or zip archive.
        member: the file's path within the URLs' archives.
        packed: "md5:..." or "sha256:..." of the file at the URLs; checked where there is no `sha256`.

    Raises:
        UserError: when the file is nowhere to be had; names each place with what was wrong there.
    """
    cache, problems = cache_folder(), []
    hashes = Hashes(sha256 or _learned(cache, name), packed)
    content_of = functools.partial(_content, name=name, hashes=hashes, member=member)
    as_published = name in (_beside(name, url) for url in urls)  # not packed
    unchecked = None if hashes.content or as_published else _own(name)
    places = [path for path in _places(name, urls, cache) if path != unchecked]
    tries: dict[str, Callable[[], bytes]] = {str(path): functools.partial(content_of, path) for path in places}
    if unchecked and unchecked.is_file():
        tries[str(unchecked)] = functools.partial(_as_it_is, unchecked)
    for url in urls:
        tries[url] = functools.partial(fetched, url, cache / "downloads" / _beside(name, url), content_of)
    for place, attempt in tries.items():
        try:
            content = attempt()
        except (OSError, http.client.HTTPException, UserError) as error:
            problems.append(f"{place}: {str(error).strip('<>')}")
            continue
        if sha256 and Path(place).name != Path(name).name:
            _keep(cache / name, content)
        if not hashes.content and not as_published and place != str(unchecked):
            _keep(cache / f"{name}.sha256", hashlib.sha256(content).hexdigest().encode())
        for problem in problems:
            print(f"passed over {problem}")
        return content
    raise UserError("\n".join([f"there is no {name} to be had", *problems, _advice(name, sha256, urls)]))


def _learned(cache: Path, name: str) -> str | None:
    """The sha256 of the content that an earlier read has found in a packed file whose hash held."""
    with contextlib.suppress(OSError):
        return (cache / f"{name}.sha256").read_text().strip()
    return None


def _own(name: str) -> Path | None:
    own = named_folder("ZOO_DATA")
    return own / name if own else None


def _as_it_is(path: Path) -> bytes:
    content = path.read_bytes()
    print(f"{path} is taken as it is, unchecked: no hash of it is known here, but at most that of a packed file")
    return content


def _advice(name: str, sha256: str | None, urls: Sequence[str]) -> str:
    own = named_folder("ZOO_DATA") or Path("<folder>")
    published = own / (_beside(name, urls[0]) if urls else name)
    form = f"as it is or as .gz or .xz, at {own / name}" if sha256 else f"as published, at {published}"
    return f"put the file, {form} and set ZOO_DATA to {own}"


def _beside(name: str, url: str) -> str:
    """The path of a URL's file in the folder of `name`."""
    return str(Path(name).with_name(Path(urlsplit(url).path).name))


def _places(name: str, urls: Sequence[str], cache: Path) -> list[Path]:
    """The files at hand that may hold the content; first those that need no unpacking."""
    own = named_folder("ZOO_DATA")
    folders = [*([own] if own else []), cache, own_cache_folder()]
    packed = [*(name + suffix for suffix in UNPACK), *(_beside(name, url) for url in urls)]
    paths = [folder / name for folder in folders] + [folder / form for folder in folders for form in packed]
    return [path for path in dict.fromkeys(paths) if os.path.isfile(path)]


def _content(path: Path, *, name: str, hashes: Hashes, member: str | None) -> bytes:
    """The content that the file at `path` holds, checked by its own hash or by that of the file."""
    try:
        content = path.read_bytes() if path.name == Path(name).name else _unpacked(path, member)
        found = hashlib.sha256(content).hexdigest()
        if found != hashes.content:
            algorithm, _, wanted = (hashes.packed or f"sha256:{hashes.content}").partition(":")
            with open(path, "rb") as file:
                _check(algorithm, hashlib.file_digest(file, algorithm).hexdigest() if hashes.packed else found, wanted)
    except DAMAGE as error:
        raise UserError(f"the file is damaged ({error})") from error
    return content


def _check(algorithm: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise UserError(f"not the published file; its {algorithm} is {found}, not {wanted}")


def _unpacked(path: Path, member: str | None) -> bytes:
    """What a packed file holds; of an archive `member` alone, and nothing is written."""
    if member and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            return _bounded(file)
    if member and tarfile.is_tarfile(path):
        with tarfile.open(path, "r|*") as tar:
            for entry in tar:
                if entry.name == member and entry.isreg():
                    return _bounded(tar.extractfile(entry))  # type: ignore[arg-type]
        raise KeyError(f"no {member} in it")
    with open(path, "rb") as file:
        head = file.read(8)
    unpack = next((unpack for magic, unpack in UNPACK.values() if head.startswith(magic)), open)
    with unpack(path, "rb") as file:
        return _bounded(file)


def _bounded(file: IO[bytes]) -> bytes:
    chunks, size = [], 0
    while chunk := file.read(1 << 20):
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST:
            raise OSError(f"unpacks to more than {LARGEST >> 30} GB")
    return b"".join(chunks)


def _keep(path: Path, content: bytes) -> None:
    """Write to the cache, whole or not at all; a cache that cannot be written to is only slower."""
    try:
        kept(path, lambda place: place.write_bytes(content), is_whole=lambda _: False)
    except (OSError, UserError) as error:
        print(f"{path} is not kept: {str(error).splitlines()[0]}")


def fetched(url: str, path: Path, content_of: Callable[[Path], bytes]) -> bytes:
    """The content of a URL's file, kept at `path`; fetched anew where what an earlier try left was wrong."""
    from filelock import FileLock

    path = cache_place(path)
    part = path.with_name(path.name + ".part")
    with FileLock(f"{path}.lock"):
        left = path.exists() or part.exists()
        if not path.exists():
            _download(url, part)
            os.replace(part, path)
        try:
            return content_of(path)
        except UserError:
            path.unlink()
            if not left:
                raise
    return fetched(url, path, content_of)


def _download(url: str, part: Path) -> None:
    """Download to `part`, going on from where an earlier try stopped. A cut download raises ConnectionError."""
    have = part.stat().st_size if part.exists() else 0
    print(f"fetching {url}")
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {}), timeout=30
        )
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        if not error.headers.get("Content-Range", "").endswith(f"/{have}"):  # `part` holds more than there is
            part.unlink()
            _download(url, part)
        return
    with response, open(part, "ab" if response.status == 206 else "wb") as file:
        start, length = file.tell(), response.headers["Content-Length"]
        with _progress(response, url, length) as body:
            shutil.copyfileobj(body, file)
    if length and part.stat().st_size != start + int(length):
        raise ConnectionError(f"ended after {part.stat().st_size} of {start + int(length)} bytes")


def _progress(response: Any, url: str, length: str | None) -> Any:
    """The response as a file that moves a bar on a terminal as it is read."""
    from rich.console import Console
    from rich.progress import wrap_file

    return wrap_file(
        response,
        int(length or 0),
        description=Path(url).name,
        console=Console(stderr=True),
        transient=True,
        disable=not (length and sys.stderr.isatty()),
    )
