"""Files of data sets: from the folder ZOO_DATA, from the cache, or fetched from their owner; always hash-checked."""

import contextlib
import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import UserError

UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def cache_folder() -> Path:
    """A folder for fetched and unpacked files: ZOO_CACHE, else the user's cache, else a temporary one."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for folder in (os.environ.get("ZOO_CACHE"), os.path.join(home, "zoo")):
        if folder:
            with contextlib.suppress(OSError):
                os.makedirs(folder, exist_ok=True)
                if os.access(folder, os.W_OK):
                    return Path(folder)
    fallback = Path(tempfile.gettempdir()) / f"zoo-{os.getuid()}"
    fallback.mkdir(mode=0o700, exist_ok=True)
    return fallback


def read(name: str, sha256: str, urls: Sequence[str], member: str | None = None) -> bytes:
    """The content of one data file.

    Looked for as `name`, or packed as `name`.gz or `name`.xz, in ZOO_DATA and then in the cache; else fetched. What is
    unpacked or fetched is kept in the cache.

    Args:
        name: path within ZOO_DATA and the cache, such as "MNIST/raw/train-images-idx3-ubyte".
        sha256: of the unpacked content.
        urls: places to fetch from, tried in order; the file itself, packed, or an archive.
        member: if the URLs are of a tar archive, the file's path in it.

    Raises:
        UserError: when a file has the wrong hash, or is not at hand and cannot be fetched.
    """
    cached = cache_folder() / name
    own = os.environ.get("ZOO_DATA")
    for folder in ([Path(own)] if own else []) + [cache_folder()]:
        for path in (folder / name, *(folder / (name + suffix) for suffix in UNPACK)):
            if path.suffix in UNPACK and cached.exists():
                break  # unpacked before
            if path.exists():
                content = _unpacked(path)
                _check(content, sha256, path)
                if path.suffix in UNPACK:
                    _write(cached, content)
                return content
    for url in urls:
        with contextlib.suppress(urllib.error.URLError, TimeoutError, ConnectionError):
            packed = _fetch(url, cache_folder() / "downloads" / Path(url).name)
            content = _member(packed, member) if member else _unpacked(packed)
            _check(content, sha256, packed)
            _write(cached, content)
            return content
    raise UserError(
        f"cannot fetch {name} from {' or '.join(urls)}\n"
        f"put the file, as it is or as .gz or .xz, at {Path(own or '<folder>') / name} and set ZOO_DATA to that folder"
    )


def _unpacked(path: Path) -> bytes:
    try:
        return UNPACK[path.suffix](path).read() if path.suffix in UNPACK else path.read_bytes()
    except (EOFError, OSError, lzma.LZMAError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it and try again") from error


def _check(content: bytes, sha256: str, path: Path) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise UserError(f"{path} is not the published file: sha256 {found}, not {sha256}\ndelete it and try again")


def _write(path: Path, content: bytes) -> None:
    """Write whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, path)


def _fetch(url: str, path: Path) -> Path:
    """Download to `path`, going on from where an earlier try stopped."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    print(f"fetching {url}")
    with urllib.request.urlopen(request, timeout=30) as response:
        expected = have * (response.status == 206) + int(response.headers["Content-Length"])
        with open(part, "ab" if response.status == 206 else "wb") as file:
            shutil.copyfileobj(response, file)
    if part.stat().st_size != expected:
        raise ConnectionError(f"{url} ended after {part.stat().st_size} of {expected} bytes")
    os.replace(part, path)
    return path


def _member(archive: Path, member: str) -> bytes:
    try:
        with tarfile.open(archive) as tar:
            file = tar.extractfile(member)
            assert file is not None
            return file.read()
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise UserError(f"{archive} is damaged ({error}); delete it and try again") from error
