"""What a period comes to: its items, what is taken off and added to them, and the tax in each won of it. Pure."""
