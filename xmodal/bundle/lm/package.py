"""The embedded LM as files: a Hugging Face folder, what it was taught, and how."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.model import RELATION, Taxonomy
from taxonomy.wordnet import WordNet
from xmodal.bundle.files import data_file
from xmodal.bundle.lm.corpus import PART_MIXTURE, Lexicon, Mixture
from xmodal.bundle.lm.exam import Exam, examine
from xmodal.bundle.lm.lexicon import LexiconConfig, build_lexicon
from xmodal.bundle.lm.pretrain import PretrainConfig, pretrain
from xmodal.quiet import quiet_transformers


def taught_table(lexicon: Lexicon) -> pa.Table:
    """Every pair the corpus speaks of.

    Returns:
        leaf, hypernym, answer, withheld (statements only), pictured; one row a pair.
    """
    leaf, hypernym = np.nonzero(lexicon.true | lexicon.false)
    return pa.table(
        {
            "leaf": pa.array([lexicon.leaves[i] for i in leaf], pa.string()),
            "hypernym": pa.array([lexicon.hypernyms[i] for i in hypernym], pa.string()),
            "answer": pa.array(lexicon.true[leaf, hypernym], pa.bool_()),
            "withheld": pa.array(lexicon.withheld[leaf, hypernym], pa.bool_()),
            "pictured": pa.array(leaf < lexicon.n_pictured, pa.bool_()),
        }
    )


def taught_pairs(which: str) -> pa.Table:
    """What an LM of the bundle was taught, pictured leaves only.

    Args:
        which: A folder of the bundle's LMs: pretrained, scrambled or parts.

    Returns:
        leaf, hypernym (or part), answer.
    """
    table = pq.read_table(data_file(f"lm/{which}/taught.parquet"))
    return table.filter(table["pictured"]).select(["leaf", "hypernym", "answer"])


def train_lm(
    taxonomy: Taxonomy,
    wordnet: WordNet,
    output: Path,
    *,
    config: PretrainConfig,
    lexicon_config: LexiconConfig,
    progress: Callable[[int, float], None] | None = None,
) -> Exam:
    """Pretrain an embedded LM and save it with its corpus's facts and its examination.

    Args:
        taxonomy: The embedded taxonomy.
        wordnet: Noun synsets.
        output: A folder that does not exist yet; appears whole or not at all.
        config: Shape and optimisation.
        lexicon_config: What is withheld; scrambled or not.
        progress: Called with (step, loss).

    Raises:
        DataError: The output folder exists.
    """
    if output.exists():
        raise DataError(f"{output} exists; give a folder that does not")
    lexicon = build_lexicon(taxonomy, wordnet, lexicon_config)
    mixture = Mixture() if lexicon_config.relation == RELATION else PART_MIXTURE
    model, tokenizer = pretrain(lexicon, config, mixture, progress)
    exam = examine(model, tokenizer, lexicon)
    output.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        _save(made, model, tokenizer)
        pq.write_table(taught_table(lexicon), made / "taught.parquet", compression="zstd")
        said = {
            "pretraining": asdict(config),
            "lexicon": asdict(lexicon_config),
            "mixture": asdict(mixture),
            "exam": asdict(exam),
            "n_params": sum(p.numel() for p in model.parameters()),
            "taxonomy": taxonomy.dataset_id,
            "wordnet": wordnet.version,
        }
        (made / "recipe.json").write_text(json.dumps(said, indent=1, sort_keys=True) + "\n")
        made.chmod(0o755)
        os.replace(made, output)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return exam


def _save(folder: Path, model: Any, tokenizer: Any) -> None:
    with quiet_transformers():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
