"""Text for people: cleaned of control sequences, and quantities in one format."""
