"""Statistics that merge: what a scaler learns."""
