"""What is going on as numbers for a monitoring system: those of `again status`, and running totals."""
