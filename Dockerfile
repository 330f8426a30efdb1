# The service and the command on a CPU: the light install, without torch. docs/container.md
# .ci/image rehearses these very steps where there is no container engine.

FROM debian:trixie-slim AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ python3-dev python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
# The native engine's kernels are chosen when it runs: the image serves every 64-bit x86 and ARM.
RUN python3 -m venv /opt/invdn \
 && /opt/invdn/bin/pip install --no-cache-dir '.[cloud,web,heic,raw]' \
 && /opt/invdn/bin/python -c 'from invdn.engines import why_native_unavailable as a; assert a() is None, a()' \
 && /opt/invdn/bin/pip uninstall --yes pip

FROM debian:trixie-slim
LABEL org.opencontainers.image.title="InvDN" \
      org.opencontainers.image.description="Removes real noise from photographs: page, REST service and command" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
 && apt-get install --yes --no-install-recommends python3 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/invdn /opt/invdn
ENV PATH=/opt/invdn/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp TMPDIR=/tmp
WORKDIR /photographs
USER 10001:10001
EXPOSE 8642
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8642/readyz', timeout=4)"]
ENTRYPOINT ["invdn"]
CMD ["serve", "--host", "0.0.0.0"]
