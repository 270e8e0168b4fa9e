"""Review: an operator decides a discrepancy, on the evidence of both sides."""
