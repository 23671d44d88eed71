"""Relations beside hypernymy: parts, and whatever a user's own table says of the leaves."""
