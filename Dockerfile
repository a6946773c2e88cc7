# The image: one static binary and no other file, and a numeric user without privileges
# (docs/adr/0004-static-linking.md).
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg REVISION="$(git rev-parse HEAD)" .
#
# Build arguments: RUST_IMAGE, a Debian image with Rust, if you use a mirror; REVISION, the commit; SOURCE,
# the address of the sources; VERSION, for the label (a test compares it with Cargo.toml).
ARG RUST_IMAGE=rust:1.95.0-slim-bookworm

# Runs on the builder's own architecture, and compiles for the target architecture.
FROM --platform=$BUILDPLATFORM ${RUST_IMAGE} AS build
ARG TARGETARCH
# The packages have the version of the Debian that RUST_IMAGE is; its archive keeps no other.
# hadolint ignore=DL3008
RUN set -eu; \
    case "$(dpkg --print-architecture) $TARGETARCH" in \
      "amd64 arm64") set -- gcc-aarch64-linux-gnu libc6-dev-arm64-cross; target=aarch64 ;; \
      "arm64 amd64") set -- gcc-x86-64-linux-gnu libc6-dev-amd64-cross; target=x86_64 ;; \
      *) exit 0 ;; \
    esac; \
    apt-get update; \
    apt-get install --yes --no-install-recommends "$@"; \
    rm -rf /var/lib/apt/lists/*; \
    rustup target add "$target-unknown-linux-gnu"
RUN cargo install --locked --debug cargo-auditable@0.7.7
WORKDIR /src
COPY . .
ARG REVISION=unknown
RUN image/binary /privatelink-prober $TARGETARCH

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.title="privatelink-prober" \
      org.opencontainers.image.description="Asks, from every AKS node, whether each private service still resolves to its private endpoint, answers, and presents the right certificate" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE"
COPY --from=build /privatelink-prober /privatelink-prober
# A number, because there is no /etc/passwd, and because a kubelet must see that it is not root.
USER 65532:65532
EXPOSE 9797
ENTRYPOINT ["/privatelink-prober"]
