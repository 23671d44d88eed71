"""Plain rows out of an open store for pages: what the report and the server show alike."""
