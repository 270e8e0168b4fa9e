"""Finding out what PortOne knows: of one attempt, of a period's earlier attempts, of all payments."""
