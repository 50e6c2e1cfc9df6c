"""Plain values as yaml: without tags, and without aliases, by which few lines become billions of values."""

from pathlib import Path
from typing import Any

import yaml

from zoo.core.errors import UserError


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias, such as *a; write out what it stands for")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(values: Any, **options: Any) -> str:
    """Plain values as yaml that `read_yaml` takes, in their order; what is there twice is written twice."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, **options)


def parse_yaml(text: str) -> Any:
    """What yaml of plain values says."""
    return yaml.load(text, _Loader)


def read_yaml(path: Path) -> Any:
    """The values of a file; UserError where that is no yaml, or not of plain values."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not yaml of plain values: {str(error).splitlines()[0]}") from error
