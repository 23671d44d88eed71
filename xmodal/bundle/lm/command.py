"""What `xmodal bundle train-lm` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from taxonomy.model import RELATION, TaxonomyConfig, one_of
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files
from xmodal.bundle.lm.corpus import WORDINGS
from xmodal.bundle.lm.lexicon import LexiconConfig
from xmodal.bundle.lm.package import train_lm
from xmodal.bundle.lm.pretrain import PretrainConfig
from xmodal.progress import bars
from xmodal.taxonomies import build_taxonomy


def pretrain_bundle(
    output: Path,
    *,
    scrambled: bool = False,
    relation: str = RELATION,
    seed: int = 0,
    n_steps: int | None = None,
    wordnet_dir: Path | None = None,
) -> Iterator[str]:
    """Pretrain an LM like the bundled one.

    Args:
        output: Folder to make.
        scrambled: Permute the hypernyms among the pictured leaves.
        relation: What the LM is taught of the leaves: hypernym or part.
        seed: Of weights, corpus and withheld pairs.
        n_steps: Optimiser steps; None for the bundled LM's.
        wordnet_dir: The user's own WordNet; None for the bundled nouns.

    Yields:
        One line for each number of the examination.

    Raises:
        ConfigError: A relation that no corpus is written for.
    """
    one_of("relation", relation, tuple(WORDINGS))
    config = PretrainConfig(seed=seed)
    if n_steps is not None:
        config = replace(config, n_steps=n_steps)
    folder = wordnet_dir or wordnet_files.wordnet_dir()
    relations = tuple(dict.fromkeys((RELATION, relation)))
    asked = TaxonomyConfig(min_leaves=1, relations=relations)
    taxonomy = build_taxonomy(asked, wordnet_dir=folder)
    with bars() as shown:
        task = shown.add_task("pretraining", total=config.n_steps, note="")

        def progress(step: int, loss: float) -> None:
            shown.update(task, completed=step + 1, note=f"loss {loss:.3f}")

        exam = train_lm(
            taxonomy,
            WordNet.open(folder),
            output,
            config=config,
            lexicon_config=LexiconConfig(seed=seed, scrambled=scrambled, relation=relation),
            progress=progress,
        )
    yield from (
        f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in asdict(exam).items()
    )
    yield f"saved: {output}"
