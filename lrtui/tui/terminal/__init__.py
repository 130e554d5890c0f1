"""The way to the terminal: drivers, the diff renderer, keys in order, ASCII fallback."""
