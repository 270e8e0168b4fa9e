"""When things are due: plans and their cadences, billing periods, dunning calendars, and the beat table.

Everything here is pure: values in, values out, `now` always an argument. No clock, no database, no network,
no Celery, and nothing from `worker`, which decides what happens when something is due.
"""
