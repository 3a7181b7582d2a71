"""The page of commands: every command, argument, option, default and help, as Typer knows them."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from omni_pipeline.cli import app

_HEAD = """# Command line

`omni COMMAND --help` says the same in a terminal. Reports take `--json`. Exit codes: 0 done,
1 failed (one line on standard error), 2 wrong usage. A DOMAIN may be given as its host or as any
URL of it.

"""

_KINDS = {"str": "TEXT", "int": "N", "float": "NUMBER", "list[str]": "TEXT", "path": "PATH"}


def page() -> str:
    """The whole page."""
    return _HEAD + "\n".join(_described(name, command) for name, command in commands())


def commands() -> list[tuple[str, Any]]:
    """Every command by the words that call it, groups before what is in them."""
    return list(_walk("omni", typer.main.get_command(app)))[1:]


def _walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from _walk(f"{name} {word}", inner)


def options_of(command: Any) -> set[str]:
    """The ways to write each option of a command."""
    return {word for each in command.params for word in (*each.opts, *each.secondary_opts)}


def _described(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    options = [each for each in options if not each.hidden and "--help" not in each.opts]
    usage = " ".join([name, *(_usage(each) for each in arguments)])
    usage += " COMMAND" if hasattr(command, "commands") else ""
    parts = [f"## `{name}`\n", f"`{usage}{' [OPTIONS]' if options else ''}`\n", _help(command)]
    if arguments or options:
        parts += ["\n| | default | meaning |\n|---|---|---|\n"]
        parts += [_row(f"`{_metavar(each)}`", each) for each in arguments]
        parts += [_row(_written(each), each) for each in options]
    return "\n".join(parts[:2]) + "\n" + "".join(parts[2:])


def _help(command: Any) -> str:
    paragraphs = re.split(r"\n\s*\n", (command.help or "").strip())
    return "\n\n".join(" ".join(each.split()) for each in paragraphs) + "\n"


def _usage(argument: Any) -> str:
    word = _metavar(argument) + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()).strip("[]<>").removesuffix("...")


def _written(option: Any) -> str:
    ways = ", ".join(f"`{word}`" for word in (*option.opts, *option.secondary_opts))
    return ways if option.is_flag else f"{ways} `{_value(option)}`"


def _value(option: Any) -> str:
    """The option's own name for its value, or its choices, or its kind in capitals."""
    if option.metavar:
        return str(option.metavar)
    kind: str = option.display_type(typer.Context(typer.main.get_command(app))).strip("<>")
    return kind if "|" in kind else _KINDS.get(kind.removesuffix(" range"), kind.upper())


def _row(written: str, parameter: Any) -> str:
    cells = (written.replace("|", "\\|"), _default(parameter), _sentence(parameter.help))
    return "| " + " | ".join(cells) + " |\n"


def _default(parameter: Any) -> str:
    value = parameter.default
    if callable(value):
        return "computed"
    if value is None or value is False or value == () or "UNSET" in repr(value):
        return "" if not parameter.required else "required"
    return f"`{getattr(value, 'value', value)}`"


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
