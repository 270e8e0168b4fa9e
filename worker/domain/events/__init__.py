"""Events: what Again tells others of its changes of state, and where to. Pure."""
