"""The parameters of `omni domains add` and `set`, made of the table of crawl options."""

import inspect
from typing import Annotated, Any

import typer

from omni_pipeline.commands.parameters import spread
from omni_pipeline.domain.crawl.options import OPTIONS, typed_as


def _parameter(column: str) -> inspect.Parameter:
    option, kind = OPTIONS[column], typed_as(column)
    # A number that is typed as text, since it may be "none", has its range checked by its rule.
    least, greatest = option.bounds if option.bounds and kind in (int, float) else (None, None)
    said = typer.Option(
        option.flag, help=option.help, metavar=option.metavar, min=least, max=greatest
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, said],
    )


def read_options(**said: Any) -> dict[str, Any]:
    """Those that were given, by column. A list replaces the old one; one empty value empties it.

    Args:
        said: What the command line made of each option, by ``Option.name``; None: not said.

    Raises:
        SettingsError: A value breaks its rule; the message names option, value, rule and remedy.
    """
    return {
        column: option.parse(option.flag, said[option.name])
        for column, option in OPTIONS.items()
        if said.get(option.name) is not None
    }


with_crawl_options = spread("options", [_parameter(column) for column in OPTIONS], read_options)
"""Gives a command every crawl option; those that were said reach it as ``options``, by column."""
