"""The registry of everything that is chosen by name: maps names to classes or functions."""

import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Generic, TypeVar

from zoo.core.errors import UserError, unknown_name

T = TypeVar("T")
PACKAGE = Path(__file__).parent.parent
ENTRY = re.compile(r'^@?([A-Z][A-Z_0-9]*)\.register\("([^"\n]+)"\)', re.MULTILINE)
USER_PATTERNS = ("*.py", "*/*.py", "*/*/*.py")  # where entries of a user's folder are searched
Entries = dict[tuple[str, str], Path]  # files of entries, by registry and name

_added: Entries = {}  # those of users


class Registry(Generic[T]):
    """Maps names to things of one kind.

    An entry is a line `@MODELS.register("cnn/small")` above a class or function. Entries are found in the text of
    files; a file is imported when one of its entries is first used, so listing names imports nothing. Users add entries
    to any registry from a folder of their own, see `zoo.add_path`.

    Args:
        kind: what messages call an entry, such as "model".
        variable: name of the registry in those lines, such as "MODELS".
    """

    def __init__(self, kind: str, variable: str):
        self.kind, self.variable = kind, variable
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that registers a class or function as `name`. A duplicate raises UserError."""

        def enter(entry: T) -> T:
            if name in self._entries:
                raise UserError(f"{self.kind} '{name}' is registered twice; rename one")
            self._entries[name] = entry
            return entry

        return enter

    def get(self, name: str) -> T:
        """The entry called `name`. An unknown name raises UserError with the nearest ones."""
        if name not in self._entries and name in (files := self._files()):
            _import(files[name])
        if name not in self._entries:
            raise unknown_name(self.kind, name, self.names())
        return self._entries[name]

    def path(self, name: str) -> Path:
        """The file of the entry called `name`, without importing it. An unknown name raises UserError."""
        files = self._files()
        if name not in files:
            raise unknown_name(self.kind, name, self.names())
        return files[name]

    def names(self, pattern: str = "*") -> list[str]:
        """The names that match a shell pattern, sorted."""
        return sorted(name for name in {*self._files(), *self._entries} if fnmatch(name, pattern))

    def _files(self) -> dict[str, Path]:
        """The files of the zoo's and of users' entries, by name."""
        entries = {**_package_entries(), **_added}
        return {name: path for (variable, name), path in entries.items() if variable == self.variable}


@functools.cache
def _package_entries() -> Entries:
    """The entries of the zoo."""
    return dict(_entries_in(PACKAGE.rglob("*.py")))


def _entries_in(paths: Iterable[Path]) -> list[tuple[tuple[str, str], Path]]:
    """The entries in some files: (variable of the registry, name), and the file."""
    texts = [(path, path.read_text(encoding="utf-8")) for path in sorted(paths)]
    return [((match[1], match[2]), path) for path, text in texts for match in ENTRY.finditer(text)]


def add_entries(folder: Path) -> int:
    """Add the entries in a user's folder to all registries and return their number.

    Raises:
        UserError: when a name is taken, or a file is not text.
    """
    try:
        entries = _entries_in(path for pattern in USER_PATTERNS for path in folder.glob(pattern))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"zoo_path={folder} has a file that cannot be read: {error}") from error
    taken = {**_package_entries(), **_added}
    for (variable, name), path in entries:
        other = taken.setdefault((variable, name), path)
        if other != path:
            raise UserError(f"two files register '{name}' in {variable}: {other} and {path}; rename one")
    _added.update(entries)
    return len(entries)


def _import(path: Path) -> None:
    """Import a file of the package or of a user, once."""
    if path.is_relative_to(PACKAGE):
        importlib.import_module(".".join(("zoo", *path.relative_to(PACKAGE).with_suffix("").parts)))
        return
    name = f"zoo_path.{path}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
