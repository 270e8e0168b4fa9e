# One image, every command: worker, beat, flower, migrate, checkout, sandbox.
# Whatever is downloaded is checked against hashes that `make lock` writes down. Pin the base image as well:
#   docker compose build --build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...   (or PYTHON_IMAGE in .env)
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY deploy/requirements.txt deploy/build-requirements.txt deploy/
RUN python -m venv /opt/again && python -m venv /opt/build \
    && /opt/again/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        --requirement deploy/requirements.txt \
    && /opt/build/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
        --requirement deploy/build-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY schedules schedules
COPY worker worker
# Our own package is built by what was just checked, and nothing more is downloaded.
RUN /opt/build/bin/python -m hatchling build -t wheel -d /build/dist \
    && /opt/again/bin/pip install --no-cache-dir --no-deps --no-index /build/dist/*.whl

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --home-dir /var/lib/again --create-home again
COPY --from=build /opt/again /opt/again
ENV PATH=/opt/again/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER again
WORKDIR /var/lib/again
STOPSIGNAL SIGTERM
ENTRYPOINT []
CMD ["celery", "-A", "worker.app", "worker", "-P", "prefork", "-c", "3", "--without-gossip", "--without-mingle"]
