"""Settings from the environment, checked as a whole, and logs."""
