"""One parameter of a command that a person gives as several options, each declared in one place."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

Command = Callable[..., None]


def spread(
    name: str, over: Sequence[inspect.Parameter], read: Callable[..., object]
) -> Callable[[Command], Command]:
    """Have a command take, in place of its parameter ``name``, what ``read`` makes of ``over``.

    Args:
        name: A parameter of the command.
        over: The options, as typer reads them off a signature.
        read: Takes them by name.
    """

    def decorate(command: Command) -> Command:
        @wraps(command)
        def run(**given: Any) -> None:
            said = {option.name: given.pop(option.name) for option in over}
            command(**given, **{name: read(**said)})

        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command).parameters.values():
            parameters += over if own.name == name else [own]
        by_name = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        signature = inspect.Signature(by_name)
        run.__signature__ = signature  # type: ignore[attr-defined] # what typer reads
        return run

    return decorate
