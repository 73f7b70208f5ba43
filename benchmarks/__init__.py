"""Side-by-side timings of sknorm, its peers and the limits of memory: ``python -m benchmarks``."""
