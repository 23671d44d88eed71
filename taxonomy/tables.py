"""Arrow schemas of everything the taxonomy layer hands to the store."""

from __future__ import annotations

import pyarrow as pa

CONCEPT = pa.schema(
    [
        pa.field("concept_id", pa.int32(), nullable=False),
        # unique in a dataset: "leaf/parrot", "inner/dog", "hypernym/bird", "synset/bird.n.01"
        pa.field("key", pa.string(), nullable=False),
        # the surface form that questions use, lower case: "parrot"
        pa.field("name", pa.string(), nullable=False),
        # the asked form: "a parrot", "clothing", "a piece of jewelry"
        pa.field("phrase", pa.string(), nullable=False),
        pa.field("synset", pa.string()),
        pa.field("wn_offset", pa.int32()),
        pa.field("gloss", pa.string()),
        # leaf | inner | hypernym | synset, or the relation whose target it is, such as part
        pa.field("role", pa.string(), nullable=False),
        # hypernyms under --min-leaves are kept here, flagged, and in no question
        pa.field("dropped", pa.bool_(), nullable=False),
        # shortest hypernym path to the root in WordNet, edges
        pa.field("depth", pa.int32()),
    ]
)

EDGE = pa.schema(
    [
        pa.field("hyponym_id", pa.int32(), nullable=False),
        pa.field("hypernym_id", pa.int32(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # wordnet | everyday | csv
    ]
)

LEAF_HYPERNYM = pa.schema(
    [
        pa.field("leaf_id", pa.int32(), nullable=False),
        pa.field("hypernym_id", pa.int32(), nullable=False),
        # what each source says; NULL = the source does not speak of this pair
        pa.field("strict", pa.bool_()),
        pa.field("everyday", pa.bool_()),
        # true: a Yes of this dataset. false: claimed by some source only, so neither Yes nor No
        pa.field("used", pa.bool_(), nullable=False),
        # hypernym, part or another relation; "hypernym" of the pair is then its target
        pa.field("relation", pa.string(), nullable=False),
    ]
)

IMAGE = pa.schema(
    [
        pa.field("image_id", pa.int32(), nullable=False),
        pa.field("concept_id", pa.int32(), nullable=False),
        # train | validation | test; NULL for pictures of inner nodes
        pa.field("split", pa.string()),
        pa.field("style", pa.string()),  # artwork style or source folder
        pa.field("family", pa.string()),  # group that must not cross splits
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),  # "bundle:<row>" or a file path
    ]
)

CELL = pa.schema(
    [
        pa.field("leaf_id", pa.int32(), nullable=False),  # the label leaf
        pa.field("hypernym_id", pa.int32(), nullable=False),
        pa.field("answer", pa.bool_(), nullable=False),
        pa.field("held_out", pa.bool_(), nullable=False),
    ]
)

LABEL = pa.schema(
    [
        pa.field("image_leaf_id", pa.int32(), nullable=False),
        pa.field("label_leaf_id", pa.int32()),  # NULL: the leaf is in no question
        pa.field("status", pa.string(), nullable=False),  # identity | moved | stayed | dropped
    ]
)

EXAMPLE = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("image_id", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label_leaf_id", pa.int32(), nullable=False),
        pa.field("asked_id", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),  # leaf | hypernym
        pa.field("answer", pa.bool_(), nullable=False),
        pa.field("held_out", pa.bool_()),  # NULL for leaf questions
        pa.field("question_set", pa.string(), nullable=False),  # leaf|held_out|seen|unasked
        # split = 'train' and left in by the ablation and the mentions policy
        pa.field("in_training", pa.bool_(), nullable=False),
    ]
)

SEPARATION = pa.schema(
    [
        pa.field("level", pa.string(), nullable=False),  # none|lemma|synset|subtree|branch|similar
        pa.field("arm", pa.string(), nullable=False),  # separated | control
        pa.field("class_id", pa.int32(), nullable=False),  # a leaf
        pa.field("status", pa.string(), nullable=False),  # unseen | seen | removed
        # seen, and at level none unseen too: the full leak
        pa.field("in_training", pa.bool_(), nullable=False),
        # of removed ones: name | lemma | hyponym_lemma | hypernym | hyponym | distance | cosine |
        # random
        pa.field("reason", pa.string()),
        # the unseen class that it is too near to; NULL for random
        pa.field("unseen_id", pa.int32()),
        pa.field("detail", pa.string()),  # the word, the number of edges, the cosine
    ]
)

LEAK = pa.schema(
    [
        pa.field("unseen_id", pa.int32(), nullable=False),
        # one of the two: a class or a text that training sees
        pa.field("seen_id", pa.int32()),
        pa.field("text_row", pa.int64()),
        # identity | name | lemma | hyponym_lemma | hypernym | hyponym | distance | cosine
        pa.field("relation", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("distance", pa.int32()),  # edges, for distance
        pa.field("cosine", pa.float64()),  # for cosine
    ]
)

DROPPED_TEXT = pa.schema(
    [
        pa.field("text_row", pa.int64(), nullable=False),
        pa.field("class_id", pa.int32(), nullable=False),  # the class that it speaks of
        pa.field("relation", pa.string(), nullable=False),  # name | lemma | hyponym_lemma
        pa.field("lemma", pa.string(), nullable=False),  # the word of the class
        pa.field("found", pa.string(), nullable=False),  # its form in the text
    ]
)

# -- of manifests with negatives strided: all that their questions follow from -------------------

STRIDED_CELL = pa.schema(
    [
        # the cells that are not false; every other cell of a leaf and a hypernym is
        pa.field("leaf_id", pa.int32(), nullable=False),
        pa.field("hypernym_id", pa.int32(), nullable=False),
        pa.field("is_true", pa.bool_(), nullable=False),  # false: neither true nor false
    ]
)

STRIDED_LEAF = pa.schema(
    [
        pa.field("leaf_id", pa.int32(), nullable=False),
        # x of the key (a x + b) mod (2^31 - 1) of its cells
        pa.field("x", pa.int64(), nullable=False),
        pa.field("held_out", pa.bool_(), nullable=False),  # all its cells are
        # its place among the leaves that are labels, in the order of their ids; NULL for others
        pa.field("place", pa.int64()),
        # the leaves it is no No about, as where counting the others jumps a place
        pa.field("jumps", pa.list_(pa.int64())),
        pa.field("n_eligible", pa.int64()),  # leaves that may be a No about it
        pa.field("start", pa.int64()),
        pa.field("stride", pa.int64()),
        pa.field("step", pa.int64()),
        # training may ask it
        pa.field("in_training", pa.bool_(), nullable=False),
        # drawn training questions that ask it, by answer
        pa.field("n_yes", pa.int64(), nullable=False),
        pa.field("n_no", pa.int64(), nullable=False),
    ]
)

STRIDED_HYPERNYM = pa.schema(
    [
        pa.field("hypernym_id", pa.int32(), nullable=False),
        # a cell is held out if its key (a x + b) mod (2^31 - 1) is below the bound of its answer
        pa.field("a", pa.int64(), nullable=False),
        pa.field("b", pa.int64(), nullable=False),
        pa.field("below_true", pa.int64(), nullable=False),
        pa.field("below_false", pa.int64(), nullable=False),
        pa.field("taught", pa.bool_(), nullable=False),  # training has a Yes of it
        pa.field("in_training", pa.bool_(), nullable=False),  # training may ask it
        # cells, and those held out
        pa.field("n_cells", pa.int64(), nullable=False),
        pa.field("n_held_out", pa.int64(), nullable=False),
    ]
)

STRIDED_DRAW = pa.schema(
    [
        pa.field("hypernym_id", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        # draw k takes the picture at place (start + k stride) mod n_images of the split
        pa.field("n_images", pa.int64(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("stride", pa.int64(), nullable=False),
        pa.field("n_draws", pa.int64(), nullable=False),
        # questions, and those of held-out cells
        pa.field("n_yes", pa.int64(), nullable=False),
        pa.field("n_no", pa.int64(), nullable=False),
        pa.field("n_yes_held_out", pa.int64(), nullable=False),
        pa.field("n_no_held_out", pa.int64(), nullable=False),
    ]
)

IMAGE_PLACE = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("place", pa.int64(), nullable=False),  # of the images of the split, by a hash
        pa.field("image_id", pa.int32(), nullable=False),
        pa.field("leaf_id", pa.int32(), nullable=False),
    ]
)
