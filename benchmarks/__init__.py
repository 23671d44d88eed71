"""Timings, side by side on one machine; never part of a test."""
