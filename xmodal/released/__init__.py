"""Results that others released, read into the same tables as our own."""

from xmodal.released.s1 import Imported, read_s1

__all__ = ["Imported", "read_s1"]
