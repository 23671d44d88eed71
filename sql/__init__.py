"""SQL as package data: schema, views and named analyses."""
