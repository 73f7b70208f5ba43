"""The scalers: each a rule from a statistic to a map."""
