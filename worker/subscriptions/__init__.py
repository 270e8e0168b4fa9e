"""Plans, billing keys, and a subscription from sign-up to end."""
