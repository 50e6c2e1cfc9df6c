"""One registry for everything that is chosen by name: names to classes or functions."""

import importlib.util
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Generic, TypeVar

from zoo.errors import UserError, unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to things of one `kind`.

    With a `package`, each file of its sub-folders is one entry, named by `name_of(path)`. Files are found by a scan and
    imported when first asked for, so listing names imports nothing. Files and folders that start with an underscore
    are not entries.
    """

    def __init__(self, kind: str, package: str | None = None, name_of: Callable[[Path], str] = lambda path: path.stem):
        self.kind = kind
        self._name_of = name_of
        self._entries: dict[str, T] = {}
        self._files: dict[str, Path] = {}
        self._modules: dict[str, str] = {}
        if package is not None:
            for folder in importlib.util.find_spec(package).submodule_search_locations:  # type: ignore[union-attr]
                self.add_folder(Path(folder), package)

    def add_folder(self, folder: Path, package: str = "zoo_path") -> None:
        """Add the files of `folder`'s sub-folders as entries. A name that exists already raises UserError."""
        for path in sorted(folder.glob("[!_]*/[!_]*.py")):
            name = self._name_of(path)
            if self._files.get(name, path) != path:
                raise UserError(f"two files define {self.kind} '{name}': {self._files[name]} and {path}; rename one")
            self._files[name] = path
            self._modules[name] = f"{package}.{path.parent.name}.{path.stem}"

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that enters what it decorates under `name`. A duplicate raises UserError."""

        def enter(entry: T) -> T:
            if name in self._entries:
                raise UserError(f"{self.kind} '{name}' is registered twice; rename one")
            self._entries[name] = entry
            return entry

        return enter

    def get(self, name: str) -> T:
        """The entry called `name`; an unknown name raises UserError with the nearest ones."""
        if name not in self._entries and name in self._files:
            self._import(name)
        if name not in self._entries:
            raise unknown(self.kind, name, self.names())
        return self._entries[name]

    def path(self, name: str) -> Path:
        """The file of the entry called `name`, which is not imported; an unknown name raises UserError."""
        if name not in self._files:
            raise unknown(self.kind, name, self.names())
        return self._files[name]

    def names(self, pattern: str = "*") -> list[str]:
        """The names that match `pattern` (shell wildcards), sorted."""
        return sorted(name for name in {*self._files, *self._entries} if fnmatch(name, pattern))

    def _import(self, name: str) -> None:
        path, module_name = self._files[name], self._modules[name]
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None and spec.loader is not None
        module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if name not in self._entries:
            raise UserError(f"{path} registers no {self.kind} called '{name}'; a file registers the name of its path")
