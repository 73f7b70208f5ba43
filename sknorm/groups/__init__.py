"""The parts of a GroupedScaler: keys and their numbers, what is known of each, and what becomes of a batch."""
