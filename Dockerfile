# wxhook as an image: compiled in one stage, and its program alone in the other, as a user who is nobody else.
#
#   docker build -t wxhook .
#   docker run --env-file wxhook.env -v wxhook-data:/var/lib/wxhook -p 8080:8080 wxhook
#
# Your handlers are compiled in: build it from your own copy of this directory. compose.yaml shows the rest.

ARG RUST=1.95
ARG DEBIAN=trixie

FROM docker.io/library/rust:${RUST}-slim-${DEBIAN} AS build
# SQLite and the ciphers of TLS are compiled from C.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# For example: --build-arg FEATURES=mysql
ARG FEATURES=
RUN cargo build --locked --profile dist --bin wxhook --features "${FEATURES}"

FROM docker.io/library/debian:${DEBIAN}-slim
# The authorities that judge the certificate of api.weixin.qq.com are the system's.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 wxhook \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin wxhook \
    && install -d -m 0700 -o 10001 -g 10001 /var/lib/wxhook
COPY --from=build /src/target/dist/wxhook /usr/local/bin/wxhook
USER 10001:10001
ENV WXHOOK_DATA_DIR=/var/lib/wxhook
VOLUME /var/lib/wxhook
# Pushes. The admin listener (127.0.0.1:8081) stays inside; `docker exec … wxhook …` reaches it.
EXPOSE 8080
# /readyz: 503 as long as pushes cannot be accepted.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["wxhook", "healthcheck"]
ENTRYPOINT ["wxhook"]
CMD ["serve"]
