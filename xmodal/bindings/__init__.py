"""Binding, between the store and what lies beside it."""
