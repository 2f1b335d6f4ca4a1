# One image for every role on a cluster: Ray head, Ray worker, database upgrade. PyTorch's wheel carries CUDA, so the same
# image runs on CPUs and, with the NVIDIA container runtime, on GPUs. The head and the workers must run the same image:
# Ray refuses nodes whose Ray or Python version differs.
FROM python:3.11.18-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/tuner
ENV PATH=/opt/tuner/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml constraints.txt README.md LICENSE ./
# Third-party packages first: a change of the project's code reuses this layer.
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; extras = project['optional-dependencies']; \
    print('\n'.join(project['dependencies'] + extras['tuner'] + [each for each in extras['serve'] if not each.startswith('bandit-tracer')]))" > requirements.txt \
    && pip install -c constraints.txt -r requirements.txt
COPY tracer tracer
COPY storage storage
COPY tuner tuner
COPY experiments experiments
RUN pip install --no-deps .

FROM python:3.11.18-slim-bookworm
RUN useradd --uid 1000 --create-home tuner && install -d -o tuner -g tuner /home/tuner/.cache
COPY --from=build /opt/tuner /opt/tuner
# A login shell, as KubeRay before 1.4 starts one, sets PATH anew.
RUN echo 'PATH=/opt/tuner/bin:$PATH' > /etc/profile.d/tuner.sh
ENV PATH=/opt/tuner/bin:$PATH PYTHONUNBUFFERED=1 RAY_USAGE_STATS_ENABLED=0
USER 1000:1000
WORKDIR /home/tuner
CMD ["tuner", "--help"]
