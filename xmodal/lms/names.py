"""Names of the LMs that ship with the package. Imports nothing."""

EMBEDDED = "embedded"
EMBEDDED_PARTS = "embedded-parts"
"""The LM of the bundle that was taught parts in place of hypernyms."""
BUNDLED = (EMBEDDED, EMBEDDED_PARTS)
