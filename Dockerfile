# The server alone: one static binary in an empty image.
#     docker build -t crebito .

# The release's SBOM: of the context too, whose Cargo.lock says what the binary is made of.
ARG BUILDKIT_SBOM_SCAN_CONTEXT=true

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src

# Static, also for glibc: an empty image has no loader. Nothing of glibc that a static program
# cannot have is used, but for names, which are resolved without NSS modules' help.
ENV RUSTFLAGS="-C target-feature=+crt-static"
# With a target named, build scripts and macros, which run here, are not static.
ARG TARGETARCH
RUN case "${TARGETARCH:-$(dpkg --print-architecture)}" in \
        amd64) echo x86_64-unknown-linux-gnu ;; \
        arm64) echo aarch64-unknown-linux-gnu ;; \
        *) echo "no target for ${TARGETARCH}" >&2; exit 1 ;; \
    esac > /target

# What the dependencies are changes seldom: a layer of their own, built with an empty server.
COPY Cargo.toml Cargo.lock ./
COPY xtask/Cargo.toml xtask/
# (Cargo.toml names its bench, which cargo then wants to see.)
RUN mkdir -p src xtask/src benches \
    && echo 'fn main() {}' | tee src/main.rs xtask/src/main.rs benches/codecs.rs \
    && touch src/lib.rs xtask/src/lib.rs \
    && cargo build --release --locked --bin crebito --target "$(cat /target)"

COPY src src
# Files as old as the empty ones, or older, would pass for built.
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --bin crebito --target "$(cat /target)" \
    && cp "target/$(cat /target)/release/crebito" /crebito

FROM scratch
COPY --from=build /crebito /crebito
# Which build this is, as .ci/image says it. Behind the binary and in this stage alone: another
# commit's labels compile nothing anew.
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="crebito" \
      org.opencontainers.image.description="A bank server for the Rinha de Backend 2024/Q1" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
# Nobody in particular; there is no /etc/passwd here to have a name from.
USER 65532:65532
ENV LISTEN=0.0.0.0:8080
# For the start line, and crebito_build_info.
ENV CREBITO_REVISION="${REVISION}"
EXPOSE 8080
# The drain: answers what was asked, within 10 s.
STOPSIGNAL SIGTERM
# No shell and no curl here: the server asks itself.
HEALTHCHECK --interval=1s --timeout=30s --retries=60 CMD ["/crebito", "health", "--every", "20"]
ENTRYPOINT ["/crebito"]
