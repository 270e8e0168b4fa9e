"""Is this deployment healthy? Each check finds one thing out and says what to do."""
