"""The page of environment variables, found out by asking the program itself.

Which variables there are is what `read_settings` looks up; which setting a variable becomes, and
what values it refuses, is seen by setting it; what it means is the setting's own docstring.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

from omni_pipeline.errors import SettingsError
from omni_pipeline.settings import Settings, read_settings

_HEAD = """# Configuration

Everything a process is told from outside is an environment variable, read once when it starts.
A value that breaks its rule is an error that names the variable, the value and the remedy. How a
single domain is crawled is [its own configuration](../guide/crawling.md), kept in the database.

| variable | default | meaning |
|---|---|---|
"""

# Without these two, some variables have nobody to be about.
_NEEDED = {"OPENAI_API_KEY": "key", "OMNI_EXTRACTION_MODEL": "model"}

# One of these is a valid value of any variable, other than its default.
_SAMPLES = (
    *("1", "2", "100", "/elsewhere", "127.0.0.1:8080"),
    *("https://example.org/v1", "postgresql://example.org/omni"),
)

Values = dict[str, object]


class _Recorder(dict[str, str]):
    """An environment that remembers which variables it was asked for, in order."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.asked: dict[str, None] = {}

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked[name] = None
        return super().get(name, default)


def page() -> str:
    """The whole page."""
    rows = [_row(name) for name in variables()]
    return _HEAD + "".join(sorted(rows, key=_place)) + _tail()


def variables() -> list[str]:
    """The names of all environment variables that the program reads."""
    recorder = _Recorder(_NEEDED)
    read_settings(recorder)
    return list(recorder.asked)


def _row(name: str) -> str:
    field, rule = _field_of(name), _rule_of(name)
    default = _shown(
        _values(read_settings({}) if "extraction" not in field else _with_model())[field]
    )
    meaning = _meanings()[field].replace("``", "`")
    return f"| `{name}` | {default} | {meaning}{f' *{rule}*' if rule else ''} |\n"


def _with_model() -> Settings:
    return read_settings(_NEEDED)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return f"{value:g}"
    return "computed" if isinstance(value, Path) else "none"


def _field_of(name: str) -> str:
    """The setting that changes when this variable is set."""
    others = {} if name == "OPENAI_API_KEY" else _NEEDED.copy()
    others.pop(name, None)
    before = _values(read_settings(others))
    for sample in _SAMPLES:
        try:
            after = _values(read_settings(others | {name: sample}))
        except SettingsError:
            continue
        changed = [field for field in after if after[field] != before.get(field)]
        if changed:
            return changed[0]
    raise LookupError(f"{name} changes no setting, whichever of {_SAMPLES} it is")


def _rule_of(name: str) -> str:
    """What the program says of a value that cannot be right; empty where it takes any."""
    try:
        read_settings(_NEEDED | {name: "?"})
    except SettingsError as error:
        found = re.search(r"(?:must be|each entry is) (.*?)\.?$", str(error))
        return f"{found[1][0].upper()}{found[1][1:]}." if found else ""
    return ""


def _values(settings: object, prefix: str = "") -> Values:
    """All settings by dotted name."""
    values: Values = {}
    for field in fields(settings):  # type: ignore[arg-type]
        value = getattr(settings, field.name)
        if is_dataclass(value):
            values |= _values(value, f"{prefix}{field.name}.")
        else:
            values[f"{prefix}{field.name}"] = value
    return values


def _meanings() -> dict[str, str]:
    """Dotted name to what the docstring of its class says."""
    settings = _with_model()
    found = dict(_attributes(Settings))
    for name in ("embedding", "extraction"):
        part = type(getattr(settings, name))
        found |= {f"{name}.{field}": text for field, text in _attributes(part)}
    return found


def _attributes(kind: type) -> Iterator[tuple[str, str]]:
    _, _, text = (kind.__doc__ or "").partition("Attributes:\n")
    for found in re.finditer(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", text, re.MULTILINE):
        yield found[1], " ".join(found[2].split())


def _place(row: str) -> tuple[int, str]:
    """Variables of one thing stand together: the store, the endpoints, the rest by name."""
    name = row.split("`")[1]
    groups = ("DATABASE", "OMNI_HOME", "OPENAI", "OMNI_EMBEDDING", "OMNI_EXTRACTION")
    place = next((at for at, group in enumerate(groups) if group in name), len(groups))
    return place, name


def _tail() -> str:
    return (
        "\nThe settings are one frozen value, `Settings` in "
        "`omni_pipeline/settings.py`; why they are read by hand is "
        "[a decision](../decisions/settings-by-hand.md).\n"
    )
