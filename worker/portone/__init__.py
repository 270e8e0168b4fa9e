"""The PortOne V1 API: the only folder that knows how to reach it and how to read it."""
