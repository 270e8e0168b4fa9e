"""The hot path: opening what is due, the pump, and the limits and the kill switch that stop it."""
