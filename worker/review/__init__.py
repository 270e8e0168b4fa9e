"""An operator decides a discrepancy."""
