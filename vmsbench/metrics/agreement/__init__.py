"""How far maps agree with maps, or with fixations, one score each."""
