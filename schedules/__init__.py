"""Says *when*: plans and their cadences, billing periods, dunning calendars, and the table of ticks.

Everything here is pure: values in, values out, `now` always an argument. No clock, no database, no network,
no Celery, and nothing from `worker`, which says *what* happens when something is due.
"""
