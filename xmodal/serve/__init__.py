"""The store in a browser: a read-only server on this machine."""
