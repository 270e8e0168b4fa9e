"""The sandbox's rules: what PortOne accepts and answers. Pure."""
