-- Place of a level of concept separation in their order, from 1; NULL for no level.
CREATE OR REPLACE MACRO level_number(level) AS list_position(
    ['none', 'lemma', 'synset', 'subtree', 'branch', 'similar'], level
);
