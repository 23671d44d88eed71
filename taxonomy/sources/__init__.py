"""Readers of concept and image lists."""
