"""Commands for one trained model."""
