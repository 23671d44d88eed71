"""Draw the emoji pictures of the bundle. See README.md in this folder."""
