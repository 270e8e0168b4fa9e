"""Properties are looked for on any machine, however busy: neither slowness of an example nor of drawing one fails."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
