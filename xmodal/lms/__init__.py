"""Frozen language models and what they make of text; shared by all experiments."""
