"""Charts as text: limits, curves and the two ways of drawing them."""
