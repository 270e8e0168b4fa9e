"""The PortOne V1 API: calling it, and reading its answers. No other package knows its endpoints or its JSON."""
