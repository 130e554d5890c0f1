"""What makes training fast on a GPU."""
