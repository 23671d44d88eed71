"""Alignments between the store and what lies beside it: what `xmodal align` does."""
