"""`omni env`: what plain Dagster commands need in their environment."""

import shlex

from omni_pipeline.commands.application import open_application
from omni_pipeline.commands.console import say


def env() -> None:
    """Print shell exports for plain `dagster` commands: eval "$(omni env)".

    With the embedded Postgres, keep `omni up --only-postgres` running beside them.
    """
    with open_application() as app:
        assert app.instance is not None  # its tables are made before anybody else opens it
        for name, value in app.dagster_environment.items():
            say(f"export {name}={shlex.quote(value)}")
