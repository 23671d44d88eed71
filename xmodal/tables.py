"""Arrow schemas of what alignments hand to the store."""

from __future__ import annotations

import pyarrow as pa

WEIGHTS = "aligner.safetensors"
"""Of an alignment's folder."""
EVALUATIONS, EVALUATION = "evals", "evaluation.json"
"""Where the evaluations of a run lie in its folder, and the record of each."""
ANSWERS, COMPOSITIONS = "answers.parquet", "composition.parquet"
"""What an evaluation of an alignment leaves, one or the other."""
ANSWER = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("query_id", pa.int64(), nullable=False),
        pa.field("class_id", pa.int32()),
        pa.field("unseen", pa.bool_()),
        pa.field("rank", pa.int64(), nullable=False),
        pa.field("n_right", pa.int64(), nullable=False),
        pa.field("n_candidates", pa.int64(), nullable=False),
        pa.field("first_id", pa.int64(), nullable=False),
        pa.field("edges", pa.int32()),
        pa.field("cosine_right", pa.float32(), nullable=False),
        pa.field("cosine_first", pa.float32(), nullable=False),
    ]
)
"""Table align_answer without its evaluation."""

COMPOSITION = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("tag", pa.string()),
        *(
            pa.field(name, pa.float32(), nullable=False)
            for name in ("c0_i0", "c1_i0", "c0_i1", "c1_i1")
        ),
    ]
)
"""Table align_composition without its evaluation."""
