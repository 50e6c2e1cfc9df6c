"""Read and write YAML without tags, which run code, and aliases, which expand a few lines to billions of values."""

from pathlib import Path
from typing import Any

import yaml

from zoo.core.errors import UserError


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has an alias, such as *a; write its value out")
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(values: Any, **options: Any) -> str:
    """Plain values as YAML that `read_yaml` reads, in their order; repeated values are written out."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, **options)


def parse_yaml(text: str) -> Any:
    """Parse YAML of plain values; ten times as fast where nothing in it could be an alias."""
    fast = not ({"&", "*"} & set(text)) and yaml.__with_libyaml__
    return yaml.load(text, yaml.CSafeLoader if fast else _Loader)


def read_yaml(path: Path) -> Any:
    """Read a YAML file; UserError if it is not YAML of plain values."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is not YAML of plain values: {str(error).splitlines()[0]}") from error
