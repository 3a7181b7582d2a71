"""`omni models`: from which embedding model's index search answers, and how that is changed."""

from contextlib import ExitStack
from functools import partial
from typing import Annotated

import typer

from omni_pipeline.commands.application import Application, open_application
from omni_pipeline.commands.console import print_json, print_table, say, warn
from omni_pipeline.commands.progress_bars import progress_bars
from omni_pipeline.errors import PermanentError
from omni_pipeline.store.index import embedding_models, hnsw_indexes
from omni_pipeline.store.index.embedding_models import ModelOverview, StoredModel
from omni_pipeline.store.index.hnsw_indexes import HnswIndex

app = typer.Typer(
    no_args_is_help=True,
    help="Change the embedding model without downtime: add, build, activate; roll back, drop.",
)

ModelName = Annotated[
    str, typer.Argument(help="A model; NAME@DIMENSIONS where several share the name.")
]

MEGABYTE = 2**20


@app.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the models, what each index covers and lacks, and which one search answers from."""
    with open_application() as application:
        models = application.session.run(embedding_models.overview)
        indexes = {
            model.id: application.session.run(partial(hnsw_indexes.find, model_id=model.id))
            for model in models
        }
    if as_json:
        print_json([vars(model) | {"hnsw": indexes[model.id]} for model in models])
    elif not models:
        say("No index is built yet: omni refresh URL")
    else:
        columns = ("model", "dimensions", "status", "pages", "lacks", "chunks", "hnsw", "activated")
        rows = [_row(model, indexes[model.id]) for model in models]
        print_table(columns, rows, right=("dimensions", "pages", "lacks", "chunks"))


def _row(model: ModelOverview, index: HnswIndex | None) -> tuple[object, ...]:
    return (
        model.name,
        model.dimensions,
        model.status,
        model.pages_published,
        model.pages_lacking,
        int(model.chunks),
        _describe(index),
        model.activated_at,
    )


def _describe(index: HnswIndex | None) -> str | None:
    if index is None:
        return None
    state = f"{index.size_bytes / MEGABYTE:,.1f} MB" if index.is_valid else "not ready"
    return ", ".join([*index.options, state])


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="As the endpoint is asked for it.")],
    dimensions: Annotated[
        int | None, typer.Option(min=1, max=4000, help="Length of its vectors.")
    ] = None,
) -> None:
    """Register a model; from now on every refresh builds its index beside the active one."""
    from omni_pipeline.steps.index.model_builds import add_model
    from omni_pipeline.steps.services.model_services import Models

    with open_application() as application, ExitStack() as resources:
        models = Models(application.settings, application.session, resources)
        model = add_model(models, name, dimensions)
    if model.status == "active":
        say(f"Search answers from {model.name} ({model.dimensions} dimensions).")
    else:
        say(
            f"{model.name} ({model.dimensions} dimensions) is registered; refreshes build its "
            f"index from now on, omni models build {_reference(model)} does so at once."
        )


@app.command()
def build(
    name: ModelName,
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DOMAIN]...", help="Only these; else all that lack pages."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
) -> None:
    """Build a model's index from the stored pages, without crawling; goes on where it stopped.

    Each domain is a Dagster run of the job `build_model` in this process.
    """
    with open_application() as application:
        model = application.session.run(lambda conn: embedding_models.take_up(conn, name))
        hosts = _hosts(application, model, targets or [])
        reports = _build_all(application, model, hosts, is_quiet=as_json)
        lacking = application.session.run(
            lambda conn: embedding_models.lacking_pages(conn, model.id)
        )
    if as_json:
        print_json({"model": model.name, "domains": reports, "pages_lacking": lacking})
    failed = [host for host, report in reports.items() if "error" in report]
    if failed:
        raise PermanentError(
            f"{len(failed)} of {len(hosts)} domains could not be built: {', '.join(failed)}. What "
            f"was built stands; omni models build {name} goes on."
        )
    if not as_json:
        _say_how_complete(model, lacking)


def _hosts(application: Application, model: StoredModel, targets: list[str]) -> list[str]:
    if targets:
        return [application.get_domain(target).host for target in targets]
    return list(
        application.session.run(lambda conn: embedding_models.lacking_pages(conn, model.id))
    )


def _build_all(
    application: Application, model: StoredModel, hosts: list[str], *, is_quiet: bool
) -> dict[str, dict[str, object]]:
    """Build domain by domain; one that fails does not keep the others from being built."""
    from omni_pipeline.defs.instance.environment import add_partition
    from omni_pipeline.defs.lineage.build_model import run_build
    from omni_pipeline.defs.runs.resource import INTERRUPTED

    reports: dict[str, dict[str, object]] = {}
    for number, host in enumerate(hosts, start=1):
        add_partition(application.instance, host)
        with progress_bars(is_quiet=is_quiet) as listener:
            outcome = run_build(application.instance, host, _reference(model), listener=listener)
        if outcome.error == INTERRUPTED:
            raise PermanentError(outcome.error, kind="transient.interrupted")
        if outcome.error is not None:
            reports[host] = {"run_id": outcome.run_id, "error": outcome.error}
            warn(f"{number} of {len(hosts)}: {host}: {outcome.error}")
            continue
        reports[host] = {"run_id": outcome.run_id, **outcome.report}
        if not is_quiet:
            say(f"{number} of {len(hosts)}: {host}: {_sentence(outcome.report)}")
    return reports


def _sentence(report: dict[str, object]) -> str:
    line = (
        f"{report['pages_published']:,} pages built, {report['chunks_embedded']:,} chunks embedded "
        f"({report['tokens_embedded']:,} tokens), {report['chunks_reused']:,} reused"
    )
    return f"{line}, {report['pages_failed']:,} pages failed" if report["pages_failed"] else line


def _say_how_complete(model: StoredModel, lacking: dict[str, int]) -> None:
    if lacking:
        hosts = ", ".join(f"{host} ({pages:,})" for host, pages in lacking.items())
        warn(f"The index of {model.name} still lacks pages of {hosts}.")
    elif model.status == "active":
        say(f"The index of {model.name} is up to date.")
    else:
        say(f"The index of {model.name} is complete: omni models activate {_reference(model)}")


@app.command()
def activate(
    name: ModelName,
    accept_losses: Annotated[
        bool, typer.Option("--accept-losses", help="Also if pages that search has now are lost.")
    ] = False,
) -> None:
    """Let search answer from another model's index, from one moment to the next."""
    with open_application() as application:
        before = application.session.run(embedding_models.find_active)
        application.session.run(
            lambda conn: embedding_models.activate(conn, name, accept_losses=accept_losses)
        )
    say(f"Search answers from {name} now.")
    if before is not None and before.name != name:
        _say_what_is_kept(before)


@app.command()
def rollback() -> None:
    """Let search answer from the previous model's index again."""
    with open_application() as application:
        before = application.session.run(embedding_models.find_active)
        model = application.session.run(embedding_models.roll_back)
    say(f"Search answers from {model.name} again.")
    if before is not None:
        _say_what_is_kept(before)


def _say_what_is_kept(model: StoredModel) -> None:
    say(
        f"The index of {model.name} is kept up to date for omni models rollback, which pays for "
        f"changed chunks twice; omni models drop {_reference(model)} ends that."
    )


@app.command()
def drop(
    name: ModelName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a model's chunks and vectors; what was paid for them stays in `omni cost`."""
    with open_application() as application:
        if not yes:
            typer.confirm(f"Remove the index of {name} with all of its vectors?", abort=True)
        model = application.session.run(lambda conn: embedding_models.mark_dropped(conn, name))
        hnsw_indexes.drop(application.database, model.id)
        pages = application.session.run(lambda conn: embedding_models.remove_index(conn, model.id))
    say(f"The index of {name} is removed ({pages:,} pages).")


@app.command()
def index(
    name: ModelName,
    m: Annotated[
        int, typer.Option(min=2, max=hnsw_indexes.MAX_M, help="Links per vector.")
    ] = hnsw_indexes.DEFAULT_M,
    ef_construction: Annotated[
        int,
        typer.Option(
            min=4, max=hnsw_indexes.MAX_EF_CONSTRUCTION, help="Candidates while building."
        ),
    ] = hnsw_indexes.DEFAULT_EF_CONSTRUCTION,
    is_drop: Annotated[bool, typer.Option("--drop", help="Remove the index.")] = False,
) -> None:
    """Build an HNSW index: searches of all domains become fast and approximate.

    Searches of one domain stay exact. Each new vector then costs about 5 ms of CPU, so build it
    once the model's index is complete.
    """
    with open_application() as application:
        model = application.session.run(lambda conn: embedding_models.get(conn, name))
        if is_drop:
            was_there = hnsw_indexes.drop(application.database, model.id)
            say(f"{name} has no HNSW index {'any more' if was_there else 'to remove'}.")
            return
        is_new = hnsw_indexes.build(
            application.database, model, m=m, ef_construction=ef_construction
        )
    say(f"The HNSW index of {name} {'is built' if is_new else 'stands already'}.")


def _reference(model: StoredModel) -> str:
    return f"{model.name}@{model.dimensions}"
