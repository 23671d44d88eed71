"""The stored datasets, a row each, with what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from xmodal.store.store import Store

_DATASETS = """
SELECT
    dataset_id,
    source,
    pairs,
    relations,
    min_leaves,
    seed,
    (SELECT count(*) FROM concept WHERE concept.dataset_id = dataset.dataset_id
        AND role = 'leaf') AS n_leaves,
    (SELECT count(*) FROM concept WHERE concept.dataset_id = dataset.dataset_id
        AND role = 'hypernym' AND NOT dropped) AS n_hypernyms,
    (SELECT count(*) FROM image WHERE image.dataset_id = dataset.dataset_id) AS n_images,
    (SELECT count(*) FROM manifest WHERE manifest.dataset_id = dataset.dataset_id) AS n_manifests,
    created_at
FROM dataset
ORDER BY created_at
"""


def list_datasets(store: Store) -> pa.Table:
    """One row a dataset, oldest first: the last one is taken where none is named.

    Args:
        store: Open, to read.

    Returns:
        Its settings; n_leaves, n_hypernyms (those that are asked about), n_images, n_manifests.
    """
    return store.query(_DATASETS)
