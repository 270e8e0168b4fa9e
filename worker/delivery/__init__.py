"""How events leave: webhooks over HTTP, and tasks of the host through its broker."""
