"""How well `[search]` finds an LR and the best value of a second axis beside it: tables of real training, and replays on them."""
