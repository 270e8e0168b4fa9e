"""Tomorrow's book: what will be charged in the days to come, by what opens, prices and claims. Writes nothing."""
