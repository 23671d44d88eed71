"""What the LMs of the bundle were taught, noted for the runs of a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xmodal.lms.names import BUNDLED

if TYPE_CHECKING:
    from xmodal.store import Store

_UNTAUGHT = """
SELECT DISTINCT
    lm,
    lm_init,
    lm_hash
FROM run
WHERE
    list_contains($lms, lm)
    AND lm_init <> 'random'
    AND lm_hash NOT IN (SELECT lm_hash FROM lm_pair)
ORDER BY lm_hash
"""


def note_taught(store: Store) -> None:
    """Note the (leaf, hypernym, answer) triples of the bundle's LMs that runs of a store have.

    Random weights were taught nothing; and what another version's LM of that name was taught,
    nobody here knows: only weights that ship are noted. Nothing heavy is imported where there is
    nothing to note.

    Args:
        store: Open, to write.
    """
    rows = store.query(_UNTAUGHT, {"lms": list(BUNDLED)}).to_pylist()
    if not rows:
        return
    from xmodal.bundle.lm.package import taught_pairs
    from xmodal.lms.causal import bundled_hashes, bundled_which

    for row in rows:
        if row["lm_hash"] in bundled_hashes(row["lm"], row["lm_init"]):
            pairs = taught_pairs(bundled_which(row["lm"], row["lm_init"]))
            store.add_lm_pairs(row["lm_hash"], pairs)
