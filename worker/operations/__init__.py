"""What an operator sees: status, invariants, and why a charge waits."""
