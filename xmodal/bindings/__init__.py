"""Binding from the store to runs and probes and back."""
