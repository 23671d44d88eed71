"""The store in a browser: pages over it, live, and a picture of one's own asked about."""
