"""What is asked: concepts, hypernym graph, splits, manifests. No torch, no duckdb."""
