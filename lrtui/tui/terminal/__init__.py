"""Terminal input and output: drivers, pacing, the diff renderer, the key queue, the ASCII fallback."""
