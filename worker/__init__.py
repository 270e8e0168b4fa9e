"""What happens: charges are opened, claimed, charged, settled and reconciled here; when is decided in `schedules`."""
