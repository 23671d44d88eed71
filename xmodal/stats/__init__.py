"""Intervals and tests over runs: bootstrap by leaf, permutation, McNemar, equivalence."""
