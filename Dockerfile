# One image for every process of the service. Python is the minor version that the tests run on; the tag is exact, the
# digest behind it is to be added where images can be looked up.
FROM python:3.11.16-slim-bookworm AS build

# Wheels only, each checked against its hash: nothing is compiled, here or later.
COPY requirements.txt /tmp/
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --disable-pip-version-check --no-input \
        --require-hashes --only-binary :all: -r /tmp/requirements.txt

WORKDIR /app
COPY settings.py celeryconfig.py flowerconfig.py gunicorn.conf.py ./
COPY api api
COPY bridge bridge
COPY deploy deploy
COPY models models
COPY tasks tasks
# Readable by any user however private the clone is, and compiled once for all: the image's files never change.
RUN chmod -R a+rX /app && python -m compileall -q --invalidation-mode unchecked-hash /app


FROM python:3.11.16-slim-bookworm

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin order-service

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    HEARTBEAT_FILE=/tmp/heartbeat

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001

EXPOSE 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --start-interval=5s --retries=3 \
    CMD ["python", "-m", "deploy.health"]
ENTRYPOINT ["python", "-m", "deploy"]
CMD ["all"]
