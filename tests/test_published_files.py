"""Files of published data sets come from ZOO_DATA, the cache or unreliable servers, and are always verified by hash."""

import gzip
import hashlib
import http.server
import io
import lzma
import multiprocessing
import os
import tarfile
import threading
import zipfile

import pytest
from helpers.published_files import CONTENT, MD5, PACKED, SHA256

from zoo.core.errors import UserError
from zoo.data.sources import published


@pytest.fixture
def folders(tmp_path, monkeypatch):
    own, cache = tmp_path / "own", tmp_path / "cache"
    own.mkdir()
    monkeypatch.setenv("ZOO_DATA", str(own))
    monkeypatch.setenv("ZOO_CACHE", str(cache))
    return own, cache


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends `server.contents[folder]`; the folder "cut" ends early once, "endless" sends no length, "rangeless"
    ignores ranges."""

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        kind = self.path.split("/")[1]
        server.requests.append((kind, wanted))
        content = server.contents.get(kind)
        if content is None:
            return self.send_error(404)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and kind != "rangeless" else 0
        self.send_response(416 if start >= len(content) else 206 if start else 200)
        if start >= len(content):
            self.send_header("Content-Range", f"bytes */{len(content)}")
        if kind != "endless":
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = kind == "cut" and not start
        self.wfile.write(content[start:] if not cut else content[:30])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """A file server on this machine; `url(folder)` is one file in one of its folders."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.contents, running.requests = dict.fromkeys(("whole", "cut", "endless", "rangeless"), PACKED), []
        running.url = lambda kind, name="set.bin.gz": f"http://127.0.0.1:{running.server_port}/{kind}/{name}"
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def part_of(folders, content):
    part = folders[1] / "downloads" / "set.bin.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)
    return part


def archive(kind, members):
    packed = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members.items():
                file.writestr(name, content)
    else:
        with tarfile.open(fileobj=packed, mode=f"w:{kind}") as file:
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                file.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_files_in_zoo_data_are_read_packed_or_not(folders, suffix, pack):
    own, cache = folders
    (own / f"set.bin{suffix}").write_bytes(pack(CONTENT))
    own.chmod(0o555)
    assert published.read_data_file("set.bin", SHA256, []) == CONTENT
    assert (cache / "set.bin").exists() == bool(suffix)  # unpacked once
    assert published.read_data_file("set.bin", SHA256, []) == CONTENT


def test_a_file_that_is_published_packed_is_not_unpacked(folders):
    (folders[0] / "set.bin.gz").write_bytes(PACKED)
    assert published.read_data_file("set.bin.gz", hashlib.sha256(PACKED).hexdigest(), []) == PACKED


def test_a_file_with_another_hash_is_refused(folders):
    (folders[0] / "set.bin").write_bytes(b"something else")
    with pytest.raises(UserError, match="not the published file"):
        published.read_data_file("set.bin", SHA256, [])


@pytest.mark.parametrize("harm", [lambda packed: packed[:-10], lambda packed: packed[:40] + b"x" + packed[41:]])
@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_damaged_packed_file_is_refused(folders, suffix, pack, harm):
    path = folders[0] / f"set.bin{suffix}"
    path.write_bytes(harm(pack(CONTENT)))
    with pytest.raises(UserError, match=f"{path}: (the file is damaged|not the published file)"):
        published.read_data_file("set.bin", SHA256, [])


def test_damaged_files_in_the_cache_are_fetched_again(folders, server, capsys):
    assert published.read_data_file("set.bin", SHA256, [server.url("whole")]) == CONTENT
    for path in (folders[1] / "set.bin", folders[1] / "downloads" / "set.bin.gz"):
        path.write_bytes(path.read_bytes()[:-3])
    assert published.read_data_file("set.bin", SHA256, [server.url("whole")]) == CONTENT
    assert "skipped" in capsys.readouterr().out
    assert published.read_data_file("set.bin", SHA256, []) == CONTENT


def test_a_file_is_read_even_if_it_cannot_be_cached(folders, monkeypatch, capsys):
    def full(*args):
        raise OSError(28, "No space left on device")

    (folders[0] / "set.bin.gz").write_bytes(PACKED)
    monkeypatch.setattr(os, "replace", full)
    assert published.read_data_file("set.bin", SHA256, []) == CONTENT
    assert "not cached" in capsys.readouterr().out
    assert [path.suffix for path in folders[1].iterdir()] == [".lock"]


def test_a_decompression_bomb_is_refused(folders, monkeypatch):
    monkeypatch.setattr(published, "MAX_UNPACKED", 1 << 20)
    (folders[0] / "set.bin.gz").write_bytes(gzip.compress(bytes(5 << 20)))
    with pytest.raises(UserError, match="unpacks to more than"):
        published.read_data_file("set.bin", SHA256, [])


@pytest.mark.parametrize("kind", ["whole", "endless", "rangeless"])
def test_a_file_is_fetched_once(folders, server, kind):
    for _ in range(2):
        assert published.read_data_file("set.bin", SHA256, [server.url(kind)]) == CONTENT
    assert server.requests == [(kind, None)]
    assert not list(folders[1].rglob("*.part"))


@pytest.mark.parametrize(
    ("left", "kind", "requests"),
    [
        (PACKED[:20], "whole", ["bytes=20-"]),
        (PACKED[:20], "rangeless", ["bytes=20-"]),
        (PACKED, "whole", [f"bytes={len(PACKED)}-"]),  # whole: 416
        (PACKED + b"more", "whole", [f"bytes={len(PACKED) + 4}-", None]),
        (b"other bytes", "whole", ["bytes=11-", None]),  # joined to a wrong whole
    ],
)
def test_an_interrupted_download_is_resumed_or_repeated(folders, server, left, kind, requests):
    part_of(folders, left)
    assert published.read_data_file("set.bin", SHA256, [server.url(kind)]) == CONTENT
    assert server.requests == [(kind, wanted) for wanted in requests]


def fetch(url):
    return published.read_data_file("set.bin", SHA256, [url]) == CONTENT


def test_parallel_processes_fetch_a_file_once(folders, server):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert all(pool.map(fetch, [server.url("whole")] * 3, chunksize=1))
    assert server.requests == [("whole", None)]


@pytest.mark.parametrize("kind", ["gz", "xz", "zip"])
def test_only_the_member_of_an_archive_is_read_and_nothing_is_unpacked_to_disk(folders, server, kind):
    members = {"../set.bin": b"a trick", "/set.bin": b"a trick", "folder/set.bin": CONTENT}
    server.contents["archive"] = archive(kind, members)
    url = server.url("archive", f"set.{kind}")
    assert published.read_data_file("one/set.bin", SHA256, [url], member="folder/set.bin") == CONTENT
    with pytest.raises(UserError, match=r"no absent|no item named 'absent'"):
        published.read_data_file("one/other.bin", SHA256, [url], member="absent")
    written = {str(path.relative_to(folders[1])) for path in folders[1].rglob("*") if path.is_file()}
    assert {name for name in written if not name.endswith(".lock")} <= {"one/set.bin", f"downloads/one/set.{kind}"}


def test_an_archive_in_zoo_data_is_read(folders):
    packed = archive("gz", {"folder/set.bin": CONTENT})
    (folders[0] / "one").mkdir()
    (folders[0] / "one" / "set.tgz").write_bytes(packed)
    for hashes in ({"sha256": SHA256}, {"sha256": None, "packed": f"sha256:{hashlib.sha256(packed).hexdigest()}"}):
        url = "http://x/set.tgz"
        assert published.read_data_file("one/set.bin", urls=[url], member="folder/set.bin", **hashes) == CONTENT


def test_a_file_is_checked_by_the_hash_of_the_packed_file_alone(folders, server):
    with pytest.raises(UserError, match=r"its md5 is .*, not 00"):
        published.read_data_file("set.bin", None, [server.url("whole")], packed="md5:00")
    for _ in range(2):
        assert published.read_data_file("set.bin", None, [server.url("whole")], packed=MD5) == CONTENT
    assert len(server.requests) == 2


def test_published_content_in_another_packing_is_accepted(folders, server):
    (folders[0] / "set.bin.gz").write_bytes(gzip.compress(CONTENT, 1, mtime=99))  # another header
    assert published.read_data_file("set.bin", SHA256, [server.url("whole")]) == CONTENT
    with pytest.raises(UserError, match="not the published file; its md5"):  # nothing tells what is in it
        published.read_data_file("set.bin", None, [], packed=MD5)


def test_a_file_that_is_published_unpacked_is_checked_by_its_own_hash(folders):
    (folders[0] / "set.bin").write_bytes(CONTENT)
    assert published.read_data_file("set.bin", None, ["http://x/set.bin"], packed=f"sha256:{SHA256}") == CONTENT
