# An image that runs pipelines of notebooks, and that the engines' `image:` can name.
#
#   docker build -t registry.example/mlkit:1 .                        for Kubeflow Pipelines
#   docker build -t registry.example/mlkit:1 --build-arg ENGINE=prefect .
#
# /opt/mlkit is mlkit's environment, /opt/engine that of the engine; the engine's Python comes first
# on the path, because engines start `python3` in the image, and its tasks call `mlkit`.

ARG PYTHON=3.11
ARG ENGINE=kubeflow

FROM python:${PYTHON}-slim AS core
RUN python -m venv /opt/mlkit
WORKDIR /build
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY mlkit ./mlkit
RUN /opt/mlkit/bin/pip install --no-cache-dir --constraint requirements.lock '.[flights]'

FROM python:${PYTHON}-slim AS engine
ARG ENGINE
RUN python -m venv /opt/engine
WORKDIR /build
COPY requirements-${ENGINE}.lock ./requirements.lock
RUN /opt/engine/bin/pip install --no-cache-dir -r requirements.lock

FROM python:${PYTHON}-slim AS run
ARG ENGINE
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home mlkit \
    && install --directory --owner mlkit /data \
    && ln -s /opt/engine /opt/.venv-${ENGINE}
COPY --from=core /opt/mlkit /opt/mlkit
COPY --from=engine /opt/engine /opt/engine
COPY notebooks/flights /opt/notebooks/flights
ENV PATH=/opt/engine/bin:/opt/mlkit/bin:$PATH \
    MLKIT_RUNS_DIR=/data/runs \
    PYTHONUNBUFFERED=1
USER 1000
WORKDIR /data
CMD ["mlkit", "--help"]
