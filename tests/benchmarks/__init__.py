"""Tests of the benchmarks: their arithmetic, and that each one runs. Results are not checked."""
