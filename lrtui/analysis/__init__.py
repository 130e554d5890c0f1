"""What the measurements mean: ranking, health rules, the verdict and studies. Pure functions of the sweep."""
