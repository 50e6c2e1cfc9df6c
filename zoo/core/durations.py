"""Durations as people write them: 2min, 90s, 1h30m, 00:02:00."""

import re

from zoo.core.errors import UserError

UNITS = {"h": 3600, "m": 60, "s": 1}
WITH_UNITS = re.compile(
    r"(?:(?P<h>[\d.]+)\s*h(?:ours?)?)?\s*(?:(?P<m>[\d.]+)\s*m(?:in(?:ute)?s?)?)?\s*(?:(?P<s>[\d.]+)\s*s(?:ec(?:ond)?s?)?)?"
)
CLOCK = re.compile(r"(?P<h>\d+):(?P<m>\d\d):(?P<s>\d\d)")


def parse_duration(key: str, text: object) -> float:
    """The seconds of a setting such as `budget=2min`. Raises UserError for anything but a time above 0."""
    match = CLOCK.fullmatch(str(text).strip()) or WITH_UNITS.fullmatch(str(text).strip())
    try:
        seconds = sum(UNITS[unit] * float(n) for unit, n in match.groupdict().items() if n) if match else 0.0
    except ValueError:  # such as 1.2.3
        seconds = 0.0
    if not seconds > 0:
        raise UserError(f"{key} is a time above 0 with its unit, such as 90s, 2min, 1h30m or 00:02:00; got {text}")
    return seconds
