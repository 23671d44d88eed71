"""Timings and ceilings, made side by side on one machine; never part of a test."""
