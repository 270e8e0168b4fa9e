"""Playing time in the sandbox: the clock is turned from one instant at which something falls due to the next."""
