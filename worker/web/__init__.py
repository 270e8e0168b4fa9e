"""The pages on which customers register a billing key or pay an overdue charge, and the receiver of webhooks."""
