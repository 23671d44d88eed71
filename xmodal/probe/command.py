"""What `xmodal probe` does: read, ask, store. The store is not open while the LM runs."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.errors import ConfigError
from taxonomy.hashing import canonical_json, content_id
from taxonomy.manifest.world import World, read_world
from taxonomy.model import Taxonomy
from xmodal.lms.causal import LanguageModel
from xmodal.probe.config import ASKED, LmChoice, ProbeConfig
from xmodal.probe.images import rank_pictures
from xmodal.probe.pairs import ProbePairs, draw_pairs, read_pairs
from xmodal.probe.phrasings import Task, template_of
from xmodal.probe.summary import summarise
from xmodal.probe.text import Answered, TextProbe, answer_forms
from xmodal.progress import counter
from xmodal.store import Store
from xmodal.store.findings import replace_probe, tested_cells
from xmodal.store.render import emit
from xmodal.store.rows import TextProbeRow

VERSION = 1


@dataclass(frozen=True)
class Probed:
    """What was found."""

    summary: pa.Table
    """One row a task and phrasing, or for pictures one row a kind of cell."""
    answers: pa.Table
    """Every single answer, with names."""
    notes: tuple[str, ...]
    """What the reader must know beside the scores."""

    def tell(self, echo: Callable[[str], None], output: Path | None) -> None:
        """Say the notes, and write the answers to a file if one is given."""
        for note in self.notes:
            echo(note)
        if output is not None:
            emit(self.answers, None, output)


def run_probe(
    store: Path,
    config: ProbeConfig,
    lm: LmChoice,
    *,
    dataset: str | None = None,
    pairs: Path | None = None,
    run: str | None = None,
) -> Probed:
    """Ask an LM about a dataset's pairs and store the answers, or rank a run's pictures.

    Args:
        store: The DuckDB file.
        config: What is asked.
        lm: Of whom.
        dataset: Id of a dataset or its beginning; the latest if None.
        pairs: File of minimal pairs to ask in place of drawn ones.
        run: Id of a run or its beginning: its test pictures are asked about; with task choice.

    Raises:
        StoreError: Something is not in the store.
        ConfigError: A setting that is outside its values or does not go with another.
        DataError: The LM or the file of pairs cannot be used.
    """
    if run is not None:
        if config != ProbeConfig(task="choice", batch_size=config.batch_size) or (
            lm != LmChoice() or dataset is not None or pairs is not None
        ):
            raise ConfigError(
                "--run goes with --task choice and takes its LM, dataset, relation and question "
                "from the run; of the other options only --batch-size and --output go with it"
            )
        return Probed(*rank_pictures(store, run, _lm_of, config.batch_size), ())
    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy(dataset)
        tested = tested_cells(opened, taxonomy.dataset_id, config.relation)
    world = read_world(taxonomy, config.relation)
    chosen = draw_pairs(world, config.seed) if pairs is None else read_pairs(world, pairs)
    chosen = chosen.with_tested(world, tested)
    templates = _templates(config, chosen)
    loaded = lm.load(config.seed)
    if any(task == "yes_no" for task, _ in templates):
        answer_forms(loaded)
    found = _ask(config, templates, loaded, taxonomy, world, chosen)
    with Store.open(store) as opened:
        for row, answered, _ in found:
            replace_probe(opened, row, answered.answers)
    return _probed(found, taxonomy, chosen, loaded)


def _lm_of(run: dict[str, Any]) -> LanguageModel:
    """The LM of a run, where the run had it: other devices have other weights' bytes."""
    lm = LmChoice(run["lm"], run["lm_init"], run["lm_revision"], run["device"].partition(":")[0])
    return lm.load(run["seed_init"])


def _templates(config: ProbeConfig, pairs: ProbePairs) -> dict[tuple[Task, int], str | None]:
    """By task and phrasing the template; None where the pairs bring their own sentences."""
    found: dict[tuple[Task, int], str | None] = {}
    for task in ASKED[config.task]:
        for phrasing in dict.fromkeys(config.phrasings):
            own = task == "sentence" and bool(pairs.sentences)
            if own and phrasing not in pairs.sentences:
                there = ", ".join(map(str, pairs.sentences))
                raise ConfigError(f"phrasing must be one of the file's {there}, got {phrasing}")
            template = None if own else template_of(config.relation, task, phrasing)
            found[task, phrasing] = template
    return found


_Found = list[tuple[TextProbeRow, Answered, dict[str, Any]]]


def _ask(
    config: ProbeConfig,
    templates: dict[tuple[Task, int], str | None],
    lm: LanguageModel,
    taxonomy: Taxonomy,
    world: World,
    pairs: ProbePairs,
) -> _Found:
    found: _Found = []
    for (task, phrasing), template in templates.items():
        with counter(f"{task} {phrasing}") as progress:
            probe = TextProbe(lm, taxonomy, world, pairs, config.batch_size, progress)
            chat = config.chat and task == "yes_no"
            if task == "yes_no":
                answered = probe.yes_no(str(template), chat=chat)
            elif task == "sentence":
                answered = probe.sentence(template, phrasing)
            else:
                answered = probe.choice(str(template), mean=config.choice_score == "mean")
        row = _row(config, task, phrasing, template, probe, answered)
        found.append((row, answered, summarise(answered.answers)))
    return found


def _row(
    config: ProbeConfig,
    task: Task,
    phrasing: int,
    template: str | None,
    probe: TextProbe,
    answered: Answered,
) -> TextProbeRow:
    """The record of one task in one phrasing; its id is the hash of all that decides its scores.

    What is asked beside the pairs decides none: asked again when manifests have been added, the
    probe is the same and its rows are replaced.
    """
    lm, chat = probe.lm, config.chat and task == "yes_no"
    said: dict[str, Any] = {"n_texts": answered.texts, "n_unknown": answered.unknown}
    how: dict[str, Any] = {}
    if task == "yes_no":
        forms = answer_forms(lm)
        how = {"yes": forms.yes, "no": forms.no}
    elif task == "choice":
        how = {"score": config.choice_score}
    identity = {
        "finding": "text_probe",
        "version": VERSION,
        "lm": lm.sha256,
        "lm_init": lm.init,
        "dataset": probe.taxonomy.dataset_id,
        "relation": config.relation,
        "task": task,
        "phrasing": phrasing,
        "template": template,
        "chat": lm.tokenizer.chat_template if chat else None,
        "how": how,
        "seed": config.seed,
        "pairs": probe.pairs.identity(probe.world),
    }
    return TextProbeRow(
        probe_id=content_id(identity),
        dataset_id=probe.taxonomy.dataset_id,
        relation=config.relation,
        lm=lm.name,
        lm_revision=lm.revision,
        lm_hash=lm.sha256,
        lm_init=lm.init,
        seed=config.seed,
        task=task,
        phrasing=phrasing,
        template="sentences of the pairs" if template is None else template,
        chat=chat,
        forms_json=canonical_json(how | said),
        n_pairs=len(probe.pairs),
        versions_json=canonical_json(_versions(lm)),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _versions(lm: LanguageModel) -> dict[str, str]:
    packages = {name: version(name) for name in ("xmodal", "torch", "transformers")}
    where = {"device": lm.device.type, "dtype": str(lm.dtype).removeprefix("torch.")}
    return {"python": platform.python_version(), **packages, **where}


def _probed(found: _Found, taxonomy: Taxonomy, pairs: ProbePairs, lm: LanguageModel) -> Probed:
    names = dict(
        zip(
            taxonomy.concepts["concept_id"].to_pylist(),
            taxonomy.concepts["name"].to_pylist(),
            strict=True,
        )
    )
    rows, answers, notes = [], [], list(pairs.notes)
    if pairs.beside and any(row.task == "yes_no" for row, _, _ in found):
        notes.append(
            f"{len(pairs.beside)} more pairs, of test questions, were asked yes-no to be held "
            "beside runs (@probe-vlm): they are in no score here"
        )
    for row, answered, scores in found:
        rows.append(
            {
                "task": row.task,
                "phrasing": row.phrasing,
                "template": row.template,
                "chat": row.chat,
                **scores,
                "n_pairs": row.n_pairs,
                "n_unknown": answered.unknown,
            }
        )
        table = answered.answers
        for name in ("hypernym", "leaf"):
            ids = table[f"{name}_id"].to_pylist()
            table = table.add_column(0, name, pa.array([names[i] for i in ids], pa.string()))
        for name, value in (("phrasing", row.phrasing), ("task", row.task)):
            table = table.add_column(0, name, pa.array([value] * table.num_rows))
        answers.append(table)
        if answered.unknown:
            notes.append(
                f"{row.task} phrasing {row.phrasing}: {answered.unknown} of {answered.texts} texts "
                f"hold a word that lm {lm.name!r} does not know; its answers to them mean little"
            )
    return Probed(pa.Table.from_pylist(rows), pa.concat_tables(answers), tuple(notes))
