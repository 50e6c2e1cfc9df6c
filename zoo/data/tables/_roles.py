"""The role of each column in a user's table: from the options, and from a schema file that a run writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from zoo.core.errors import UserError, unknown_name
from zoo.core.safe_yaml import read_yaml, to_yaml
from zoo.core.spec import DataSpec
from zoo.data.columns.targets import target_names
from zoo.data.formats.table_file import check_path
from zoo.data.options import clean_heading, match_heading, match_headings

QUOTED = "\"data.target='null'\""


class Schema(NamedTuple):
    """What a schema file says: the target, and the kinds of columns by heading."""

    target: Any = None
    kinds: Mapping[Any, str] = {}

    @property
    def text_columns(self) -> list[str]:
        """Headings of columns of categories, which are text even if their values look like numbers."""
        return [clean_heading(name) for name, kind in self.kinds.items() if kind == "categorical"]


def read_schema(path: str | None) -> Schema:
    """Read a schema file; None is an empty one."""
    if path is None:
        return Schema()
    file = Path(path).expanduser()
    check_path(file)
    values = read_yaml(file)
    if not isinstance(values, Mapping) or not isinstance(values.get("columns", {}), Mapping):
        raise UserError(f"data.schema={path} holds `columns:` with a line `heading: kind` for each; got {values!r:.80}")
    for key in values:
        if key not in ("target", "columns"):
            raise unknown_name(f"entry of {path}", key, ("target", "columns"))
    return Schema(values.get("target"), values.get("columns", {}))


def schema_yaml(spec: DataSpec) -> str:
    """Write the targets and the kinds of all columns as YAML, for the user to correct and read by `data.schema=`."""
    kinds = {column.name: column.kind for column in spec.columns}
    kinds |= dict.fromkeys(spec.reading.get("ignored", ()), "ignore")
    names = target_names(spec)
    return to_yaml({"target": names if len(names) > 1 else spec.target_name, "columns": kinds}, allow_unicode=True)


@dataclass(frozen=True)
class Roles:
    """Columns by their roles.

    Attributes:
        targets: to predict.
        group: whose equal values stay in one split.
        time: by which the latest rows test.
        kinds: given kinds of inputs, by heading.
        target_kinds: given kinds of targets, by heading.
    """

    targets: list[str]
    group: str | None
    time: str | None
    kinds: dict[str, str]
    target_kinds: dict[str, str]

    @property
    def named(self) -> set[str]:
        """Headings that an option or the schema names."""
        return {*self.targets, *self.kinds}


def assign_roles(
    names: Sequence[str], schema: Schema, target: Any, *, group: Any = None, time: Any = None, ignore: Any = None
) -> Roles:
    """Match the headings of options and schema with those of a table; targets may be missing among them.

    Args:
        names: headings of the table.
        schema: its kinds count less than `ignore` and more than `group` and `time`.
        target: heading of the target, or a list.
        group, time, ignore: headings.
    """
    targets = match_headings(target, names)
    group, time = (None if value is None else match_heading(value, names) for value in (group, time))
    kinds = dict.fromkeys(filter(None, (group, time)), "ignore")
    kinds |= {match_heading(name, names): kind for name, kind in schema.kinds.items()}
    kinds |= dict.fromkeys(match_headings(ignore, names), "ignore")
    target_kinds = {name: kinds.pop(name) for name in targets if name in kinds}
    return Roles(targets, group, time, kinds, target_kinds)
