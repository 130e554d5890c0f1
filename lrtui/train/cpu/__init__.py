"""What makes training fast on a CPU."""
