"""What Celery is given of ours: a transport, a scheduler for beat, and an end for a worker that hangs."""
