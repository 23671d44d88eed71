"""xmodal sweep: many runs, dealt out to tasks of this machine or of a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, Format, StorePath, to_stderr
from cli.sweep_options import (
    Account,
    Changes,
    CoTrain,
    Cpus,
    DryRun,
    Executor,
    FeatureSets,
    File,
    Gpus,
    Inits,
    Lms,
    Manifests,
    Memory,
    Paper,
    Partition,
    Prompt,
    Qos,
    Recipes,
    Retries,
    RunsPerTask,
    Sbatch,
    Seeds,
    Setup,
    SweepId,
    TaskHours,
    Tasks,
    TimeMin,
    Where,
    Workers,
    check_one,
    declared,
    grouping,
    resources,
)

app = typer.Typer(
    help="Train many runs: plan them, run them here or on SLURM, see how far they are.",
    no_args_is_help=True,
)


@app.command("plan")
@user_errors
def plan(
    file: File = None,
    store: StorePath = DEFAULT_STORE,
    paper: Paper = None,
    manifest: Manifests = None,
    where: Where = None,
    lm: Lms = None,
    lm_init: Inits = None,
    features: FeatureSets = None,
    recipe: Recipes = None,
    seeds: Seeds = None,
    prompt: Prompt = None,
    changes: Changes = None,
    task_hours: TaskHours = 2.0,
    runs_per_task: RunsPerTask = None,
    co_train: CoTrain = None,
    fmt: Format = "table",
) -> None:
    """Show a sweep's tasks: runs that the store lacks, grouped by LM and features, and what they
    take by a few timed steps here. Nothing is trained or written.
    """
    from xmodal.store.render import chosen_format, emit
    from xmodal.sweep.paper import paper_plan
    from xmodal.sweep.plan import plan_sweep

    chosen_format(fmt)
    own = (manifest, where, lm, lm_init, features, recipe, changes, seeds, prompt)
    if paper is not None:
        check_one(file, paper, None, own)
        found = paper_plan(store, paper)
        emit(found.table, fmt)
        to_stderr(found.headline)
        return
    asked = declared(
        file, manifest, where, lm, lm_init, features, recipe, seeds, prompt, changes, None, store
    )  # fmt: skip
    assert asked is not None
    made = plan_sweep(store, asked, grouping(task_hours, runs_per_task, co_train))
    emit(made.table(), fmt)
    for line in (*made.notes, made.headline()):
        to_stderr(line)


@app.command("run")
@user_errors
def run(
    file: File = None,
    store: StorePath = DEFAULT_STORE,
    sweep: SweepId = None,
    paper: Paper = None,
    manifest: Manifests = None,
    where: Where = None,
    lm: Lms = None,
    lm_init: Inits = None,
    features: FeatureSets = None,
    recipe: Recipes = None,
    seeds: Seeds = None,
    prompt: Prompt = None,
    changes: Changes = None,
    task_hours: TaskHours = 2.0,
    runs_per_task: RunsPerTask = None,
    co_train: CoTrain = None,
    executor: Executor = "local",
    workers: Workers = None,
    retries: Retries = 2,
    gpus: Gpus = None,
    cpus: Cpus = None,
    memory: Memory = None,
    time_min: TimeMin = None,
    partition: Partition = None,
    account: Account = None,
    qos: Qos = None,
    setup: Setup = None,
    sbatch: Sbatch = None,
    dry_run: DryRun = False,
) -> None:
    """Run a sweep's tasks that are not done and not under way; given again, it goes on.

    On SLURM they are submitted as one array job; here they are run, and finished runs synced.
    """
    from xmodal.sweep.command import run_sweep

    asked = declared(
        file, manifest, where, lm, lm_init, features, recipe, seeds, prompt, changes, paper,
        store, sweep,
    )  # fmt: skip
    given = resources(
        executor, workers, retries, gpus, cpus, memory, time_min, partition, account, qos,
        setup, sbatch,
    )  # fmt: skip
    dealt = grouping(task_hours, runs_per_task, co_train)
    for line in run_sweep(store, sweep, asked, dealt, given, dry_run=dry_run):
        typer.echo(line)


@app.command("features")
@user_errors
def features(
    encoder: Annotated[list[str], typer.Option(help="As for features extract; may be repeated.")],
    shards: Annotated[int, typer.Option(min=1, help="Parts of each set, a task each.")],
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    pooling: Annotated[str | None, typer.Option("--pool", help="As for features extract.")] = None,
    layer: Annotated[str | None, typer.Option(help="As for features extract.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16, on disk.")] = "float32",
    device: Annotated[str, typer.Option(help="Where a transformers model computes.")] = "cpu",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out pictures that cannot be decoded.")
    ] = False,
    executor: Executor = "local",
    workers: Workers = None,
    retries: Retries = 2,
    gpus: Gpus = None,
    cpus: Cpus = None,
    memory: Memory = None,
    time_min: TimeMin = None,
    partition: Partition = None,
    account: Account = None,
    qos: Qos = None,
    setup: Setup = None,
    sbatch: Sbatch = None,
    dry_run: DryRun = False,
) -> None:
    """Extract a dataset's features in parts, a task each; whoever ends last joins them.

    Given again it goes on, and notes in the store what is whole.
    """
    from xmodal.features.encoders.load import config_for
    from xmodal.sweep.features import sweep_features

    configs = [
        config_for(one, device, pooling=pooling, layer=layer, dtype=dtype) for one in encoder
    ]
    given = resources(
        executor, workers, retries, gpus, cpus, memory, time_min, partition, account, qos,
        setup, sbatch,
    )  # fmt: skip
    for line in sweep_features(
        store, configs, shards, given, dataset=dataset, device=device, skip_bad=skip_bad,
        dry_run=dry_run,
    ):  # fmt: skip
        typer.echo(line)


@app.command("status")
@user_errors
def status(sweep: SweepId = None, store: StorePath = DEFAULT_STORE, fmt: Format = "table") -> None:
    """How far each task is: waiting, running with step and time left, done, failed and why."""
    from xmodal.store.render import chosen_format, emit
    from xmodal.sweep.command import status_of

    chosen_format(fmt)
    found, line = status_of(store, sweep)
    emit(found, fmt)
    to_stderr(line)


@app.command("cancel")
@user_errors
def cancel(sweep: SweepId = None, store: StorePath = DEFAULT_STORE, task: Tasks = None) -> None:
    """End tasks that wait or run; `xmodal sweep run` goes on from what they saved."""
    from xmodal.sweep.command import cancel_sweep

    for line in cancel_sweep(store, sweep, task or []):
        typer.echo(line)


@app.command("logs")
@user_errors
def logs(
    task: Annotated[int, typer.Argument(help="Number of the task.")],
    sweep: SweepId = None,
    store: StorePath = DEFAULT_STORE,
    lines: Annotated[int, typer.Option(min=1, help="Of the end of the log.")] = 40,
) -> None:
    """The end of a task's latest log."""
    from xmodal.sweep.command import logs_of

    for line in logs_of(store, sweep, task, lines):
        typer.echo(line)
