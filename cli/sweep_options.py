"""Options of `xmodal sweep`, and what they make together. Light imports only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.lists import columns_given, listed
from taxonomy.errors import ConfigError

if TYPE_CHECKING:
    from xmodal.sweep.declared import Declared
    from xmodal.sweep.plan import Grouping
    from xmodal.sweep.resources import Resources

Texts = list[str] | None

File = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE.toml]", help="A declared sweep, in place of the options up to --set."
    ),
]
SweepId = Annotated[
    str | None,
    typer.Option("--sweep", help="Id of a sweep that was begun, or its beginning."),
]
Paper = Annotated[str | None, typer.Option(help="s1: the paper's whole grid.")]
Manifests = Annotated[
    Texts, typer.Option("--manifest", help="Id of a manifest, or its beginning; may be repeated.")
]
Where = Annotated[
    Texts,
    typer.Option("--where", help="COLUMN=VALUE: every manifest with it, too; may be repeated."),
]
Lms = Annotated[Texts, typer.Option("--lm", help="As for train; may be repeated.")]
Inits = Annotated[Texts, typer.Option("--lm-init", help="As for train; may be repeated.")]
FeatureSets = Annotated[
    Texts,
    typer.Option(
        "--features", help="Id of a feature set, or name of its encoder; may be repeated."
    ),
]
Recipes = Annotated[Texts, typer.Option("--recipe", help="As for train; may be repeated.")]
Seeds = Annotated[
    str | None,
    typer.Option(help='Such as 42,218,7; "manifest" for that of each manifest.  [default: 42]'),
]
Prompt = Annotated[
    str | None, typer.Option(help="Prompt template: default or s1.  [default: default]")
]
Changes = Annotated[
    Texts,
    typer.Option(
        "--set",
        help="SETTING=VALUE of the recipe, such as epochs=2 or learning_rate=1e-3; may be "
        "repeated.",
    ),
]
TaskHours = Annotated[float, typer.Option(help="Hours of estimated work that a task gets at most.")]
RunsPerTask = Annotated[
    int | None,
    typer.Option(min=1, help="So many runs to a task, and time nothing: no LM is loaded here."),
]
CoTrain = Annotated[
    int | None,
    typer.Option(
        min=1, help="Runs in one pass of the LM.  [default: as many as fit a GPU, 1 on a CPU]"
    ),
]
Executor = Annotated[str, typer.Option(help="local: processes of this machine; or slurm.")]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Tasks at a time.  [default: 1 here, all that SLURM gives there]"),
]
Retries = Annotated[
    int, typer.Option(min=0, help="How often a failed task is started anew, where it was.")
]
Gpus = Annotated[
    int | None, typer.Option(min=0, help="Of a task.  [default: 1 where there is one here, else 0]")
]
Cpus = Annotated[int | None, typer.Option(min=1, help="Of a task.")]
Memory = Annotated[float | None, typer.Option("--memory-gb", help="Of a task, on SLURM.")]
TimeMin = Annotated[
    int | None,
    typer.Option(
        "--time",
        min=1,
        help="Minutes of a task on SLURM; one that runs out is queued again and goes on.  "
        "[default: by estimate, else 240]",
    ),
]
Partition = Annotated[str | None, typer.Option(help="Of SLURM.")]
Account = Annotated[str | None, typer.Option(help="Of SLURM.")]
Qos = Annotated[str | None, typer.Option(help="Of SLURM.")]
Setup = Annotated[Texts, typer.Option(help="Shell command before each task; may be repeated.")]
Sbatch = Annotated[
    Texts,
    typer.Option("--sbatch", help="OPTION=VALUE of sbatch, such as constraint=a100; repeatable."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the batch script for SLURM, and submit nothing.")
]
Tasks = Annotated[
    list[int] | None, typer.Option("--task", help="Number of a task; may be repeated.")
]


def declared(
    file: Path | None,
    manifest: Texts,
    where: Texts,
    lm: Texts,
    lm_init: Texts,
    features: Texts,
    recipe: Texts,
    seeds: str | None,
    prompt: str | None,
    changes: Texts,
    paper: str | None,
    store: Path,
    sweep: str | None = None,
) -> Declared | None:
    """The sweep that a file, a paper or the options declare; None where one is named by its id.

    Raises:
        ConfigError: Both or neither are given, or a value cannot be read.
    """
    from xmodal.sweep.declared import Block, Declared, read_sweep
    from xmodal.sweep.paper import paper_sweep

    own = (manifest, where, lm, lm_init, features, recipe, changes, seeds, prompt)
    check_one(file, paper, sweep, own)
    if sweep is not None:
        return None
    if file is not None:
        return read_sweep(file)
    if paper is not None:
        return paper_sweep(paper, store)
    of_manifest = seeds == "manifest"
    numbers = "42" if seeds is None else seeds
    block = Block(
        manifests=tuple(manifest or ()),
        where=columns_given("--where", where or ()),
        lms=tuple(lm or Block.lms),
        lm_inits=tuple(lm_init or Block.lm_inits),
        features=tuple(features or ()),
        recipes=tuple(recipe or ()),
        seeds=() if of_manifest else tuple(listed("seeds", numbers, int)),
        seed_of_manifest=of_manifest,
        prompt=prompt or "default",
        changes=_changes(changes or []),
    )
    return Declared("options", (block,))


def check_one(
    file: Path | None, paper: str | None, sweep: str | None, own: Sequence[object]
) -> None:
    """Raise ConfigError unless runs are declared in one way.

    Args:
        file: A sweep's file.
        paper: A paper's name.
        sweep: Id of a sweep that was begun.
        own: Options of one block.
    """
    if sum((file is not None, paper is not None, sweep is not None, any(own))) != 1:
        raise ConfigError(
            "give one of a sweep's file, --paper, --sweep of one that was begun, or options such "
            "as --manifest and --lm"
        )


def _changes(given: list[str]) -> dict[str, Any]:
    from xmodal.sweep.declared import CHANGES

    out = {}
    for name, text in columns_given("--set", given).items():
        kind = CHANGES.get(name, str)
        try:
            out[name] = kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            raise ConfigError(f"--set {name} must be {what}, got {text!r}") from None
    return out


def grouping(task_hours: float, runs_per_task: int | None, co_train: int | None) -> Grouping:
    """How runs are dealt out."""
    from xmodal.sweep.plan import Grouping

    return Grouping(task_s=3600 * task_hours, runs_per_task=runs_per_task, co_train=co_train)


def resources(
    executor: str,
    workers: int | None,
    retries: int,
    gpus: int | None,
    cpus: int | None,
    memory: float | None,
    time_min: int | None,
    partition: str | None,
    account: str | None,
    qos: str | None,
    setup: Texts,
    sbatch: Texts,
) -> Resources:
    """What a task gets."""
    from xmodal.sweep.resources import Resources

    return Resources(
        executor=executor, workers=workers, retries=retries, gpus=gpus, cpus=cpus,
        memory_gb=memory, time_min=time_min, partition=partition, account=account, qos=qos,
        setup=tuple(setup or ()), sbatch=columns_given("--sbatch", sbatch or ()),
    )  # fmt: skip
