"""How good a predicted map is, on one scale, beside predictors that never look at the image."""
