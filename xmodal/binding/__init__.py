"""Binding: what a small decoder does to tell which colour goes with which shape."""
