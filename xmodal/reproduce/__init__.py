"""Runs made again from what is stored of them, and held against it."""

from xmodal.reproduce.again import reproduce
from xmodal.reproduce.verdict import Reproduction

__all__ = ["Reproduction", "reproduce"]
