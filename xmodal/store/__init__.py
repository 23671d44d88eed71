"""The DuckDB experiment store; the only package that imports duckdb."""
