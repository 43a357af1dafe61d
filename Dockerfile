# The three services: `docker build --target importer-api .`, billing-worker, send-mail-worker.
# Written so that the builder without BuildKit builds it as well.

# What owns the ports of the services in docker-compose.yml, so that these can be scaled.
FROM debian:bookworm-slim AS port
# Of the fixed Debian release, which brings security fixes and nothing else
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends socat \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
USER 10001:10001
ENTRYPOINT ["/usr/bin/socat"]

# The manifests with empty sources: all that the dependencies depend on. What is copied out of here
# is the same as long as no manifest changes, so the layer of the dependencies is found again.
FROM rust:1.95-slim-bookworm AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock \
        ! -path '*/src/lib.rs' ! -path '*/src/main.rs' ! -path '*/benches/*.rs' -delete \
    && echo 'fn main() {}' > /tmp/empty.rs \
    && find . -name '*.rs' -exec cp /tmp/empty.rs {} \; \
    && find . -type d -empty -delete

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
ENV CARGO_INCREMENTAL=0 CARGO_PROFILE_DIST_STRIP=symbols
COPY --from=manifests /src .
RUN cargo build --profile dist --locked --bins \
        --package importer-api --package billing-worker --package send-mail-worker --package operator
COPY . .
# Cargo goes by the times of files, and those of the sources are older than those of the empty ones.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --profile dist --locked --bins \
        --package importer-api --package billing-worker --package send-mail-worker --package operator

# What the services share: an account of no rights, root certificates, and where they listen.
FROM debian:bookworm-slim AS service
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
ENV BIND_ADDRESS=0.0.0.0
USER 10001:10001

FROM service AS billing-worker
COPY --from=build /src/target/dist/billing-worker /usr/local/bin/
EXPOSE 8001
HEALTHCHECK --interval=5s --timeout=5s --start-period=15s CMD ["billing-worker", "health"]
ENTRYPOINT ["billing-worker"]

FROM service AS send-mail-worker
COPY --from=build /src/target/dist/send-mail-worker /usr/local/bin/
EXPOSE 8002
HEALTHCHECK --interval=5s --timeout=5s --start-period=15s CMD ["send-mail-worker", "health"]
ENTRYPOINT ["send-mail-worker"]

# With the commands for operators, which need what it has: the ledger, and the queues. The folder is
# there for a volume with SPOOL_DIR; which of SPOOL_DIR and SPOOL_URL it is, the environment says.
FROM service AS importer-api
USER 0:0
RUN mkdir --parents /var/lib/importer-api/spool && chown --recursive 10001:10001 /var/lib/importer-api
USER 10001:10001
COPY --from=build /src/target/dist/importer-api /src/target/dist/operator /usr/local/bin/
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=5s --start-period=15s CMD ["importer-api", "health"]
ENTRYPOINT ["importer-api"]
