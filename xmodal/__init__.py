"""What is run: store, bundle, features, training, reports."""
