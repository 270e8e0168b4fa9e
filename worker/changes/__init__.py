"""Changes: everything that customers, operators and hosts do to a subscription or a charge, by one mechanism."""
