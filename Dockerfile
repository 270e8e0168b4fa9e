# One image, every command: worker, beat, flower, migrate, checkout, sandbox.
FROM python:3.13-slim AS build
WORKDIR /build
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY schedules schedules
COPY worker worker
RUN python -m venv /opt/again && /opt/again/bin/pip install --no-cache-dir --constraint requirements.lock .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/again --create-home again
COPY --from=build /opt/again /opt/again
ENV PATH=/opt/again/bin:$PATH PYTHONUNBUFFERED=1
USER again
WORKDIR /var/lib/again
STOPSIGNAL SIGTERM
ENTRYPOINT []
CMD ["celery", "-A", "worker.app", "worker", "-P", "prefork", "-c", "3", "--without-gossip", "--without-mingle"]
