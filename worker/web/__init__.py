"""HTTP: the checkout pages, the webhook receiver, and the entry for host applications with pages of their own."""
