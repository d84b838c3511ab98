"""What a frozen encoder saw in the pictures, and the views in which pairs are then shown."""
