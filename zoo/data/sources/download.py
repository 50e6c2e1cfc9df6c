"""Download files once, whatever processes ask for them, resuming where an earlier try stopped."""

import os
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo.core.console import echo
from zoo.core.errors import UserError
from zoo.data.sources.cache import writable_cache_path


def fetch(url: str, path: Path, content_of: Callable[[Path], bytes]) -> bytes:
    """Return the content of a URL's file, which is cached at `path`.

    A file that an earlier try left is fetched again where `content_of`, which reads and checks it, raises UserError.
    """
    from filelock import FileLock

    path = writable_cache_path(path)
    part = path.with_name(path.name + ".part")
    with FileLock(f"{path}.lock"):
        is_left = path.exists() or part.exists()
        if not path.exists():
            _download(url, part)
            os.replace(part, path)
        try:
            return content_of(path)
        except UserError:
            path.unlink()
            if not is_left:
                raise
    return fetch(url, path, content_of)


def _download(url: str, part: Path) -> None:
    """Download to `part`, resuming from the bytes it holds. A connection that ends early raises ConnectionError."""
    have = part.stat().st_size if part.exists() else 0
    echo(f"fetching {url}")
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {}), timeout=30
        )
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        if not error.headers.get("Content-Range", "").endswith(f"/{have}"):  # `part` is longer than the file
            part.unlink()
            _download(url, part)
        return
    with response, open(part, "ab" if response.status == 206 else "wb") as file:
        start, length = file.tell(), response.headers["Content-Length"]
        with _with_progress(response, url, length) as body:
            shutil.copyfileobj(body, file)
    if length and part.stat().st_size != start + int(length):
        raise ConnectionError(f"ended after {part.stat().st_size} of {start + int(length)} bytes")


def _with_progress(response: Any, url: str, length: str | None) -> Any:
    """The response as a file that moves a progress bar as it is read, on a terminal."""
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
