"""The benchmark: `make bench`. Not a test: it asserts nothing, it prints ratios measured in one run on one machine."""
