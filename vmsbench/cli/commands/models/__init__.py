"""Commands around one trained model."""
