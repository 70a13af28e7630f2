# Two images from one file, each a single static executable on nothing: no shell, no libc, no package manager.
#   docker build --target service  -t iris-prediction-api .
#   docker build --target verifier -t iris-verifier .
#   docker build --target sbom --output sbom .          what is inside, as CycloneDX
# docker-compose.yaml also builds collector and jaeger: the public images, and a program that can ask them for their health.
# For another processor: --platform linux/arm64 (or --build-arg TARGETARCH=arm64): it is cross-compiled, not emulated.
# Needs BuildKit, which is docker's default since version 23.
ARG RUST_VERSION=1.95.0
ARG RUST_IMAGE=rust:${RUST_VERSION}-slim-bookworm
ARG COLLECTOR_IMAGE=otel/opentelemetry-collector-contrib:0.159.0
ARG JAEGER_IMAGE=jaegertracing/jaeger:2.13.0

FROM --platform=$BUILDPLATFORM ${RUST_IMAGE} AS toolchain
# auditable writes the list of dependencies into each executable; auditable2cdx makes an SBOM of that list.
RUN cargo install --locked cargo-auditable@0.7.7 auditable2cdx@0.1.0

ARG BUILDARCH
ARG TARGETARCH
WORKDIR /build
# Line tables, three quarters of an executable's size, are of no use where nobody can attach a debugger.
ENV CARGO_INCREMENTAL=0 CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=debuginfo
# glibc, linked statically: its allocator and its resolver are those that the project is measured and tested with.
RUN set -eu; \
    case "$TARGETARCH" in \
      amd64) cpu=x86_64;  tools=gcc-x86-64-linux-gnu ; cross=amd64-cross ;; \
      arm64) cpu=aarch64; tools=gcc-aarch64-linux-gnu; cross=arm64-cross ;; \
      *) echo "TARGETARCH=$TARGETARCH: only amd64 and arm64 are built" >&2; exit 1 ;; \
    esac; \
    if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
      apt-get update; apt-get install -y --no-install-recommends "$tools" "libc6-dev-$cross"; \
      rm -rf /var/lib/apt/lists/*; \
      rustup target add "$cpu-unknown-linux-gnu"; \
    fi; \
    mkdir .cargo; \
    printf '[build]\ntarget = "%s"\n[target.%s]\nlinker = "%s"\nrustflags = ["-Ctarget-feature=+crt-static"]\n' \
      "$cpu-unknown-linux-gnu" "$cpu-unknown-linux-gnu" "$cpu-linux-gnu-gcc" > .cargo/config.toml

# Dependencies, in a layer that only the manifests and the lock file can change: the sources are empty here.
FROM toolchain AS dependencies
COPY Cargo.toml Cargo.lock ./
COPY service/Cargo.toml service/
COPY verifier/Cargo.toml verifier/
RUN set -eu; \
    mkdir -p service/src verifier/src verifier/benches; \
    touch service/src/lib.rs verifier/src/lib.rs; \
    benches=$(sed -n '/^\[\[bench\]\]/,/^name/s|^name = "\(.*\)"|verifier/benches/\1.rs|p' verifier/Cargo.toml); \
    for main in service/src/main.rs verifier/src/main.rs $benches; do echo 'fn main() {}' > "$main"; done; \
    cargo auditable build --release --locked --workspace --bins

FROM dependencies AS build
COPY service service
COPY verifier verifier
# touch: a checkout's files may be older than the empty ones' build, and cargo goes by age.
RUN set -eu; \
    find service verifier -name '*.rs' -exec touch {} +; \
    cargo auditable build --release --locked --workspace --bins; \
    mkdir -p /out/sbom /out/runs; \
    for name in iris-prediction-api verifier; do \
      cp target/*/release/"$name" /out/; \
      auditable2cdx "/out/$name" > "/out/sbom/$name.cdx.json"; \
    done

FROM scratch AS sbom
COPY --from=build /out/sbom/ /

FROM ${COLLECTOR_IMAGE} AS collector
COPY --from=build /out/iris-prediction-api /iris-prediction-api
HEALTHCHECK --interval=3s --timeout=3s --retries=10 CMD ["/iris-prediction-api", "healthcheck", "--url", "http://127.0.0.1:13133/"]

FROM ${JAEGER_IMAGE} AS jaeger
COPY --from=build /out/iris-prediction-api /iris-prediction-api
HEALTHCHECK --interval=3s --timeout=3s --retries=10 CMD ["/iris-prediction-api", "healthcheck", "--url", "http://127.0.0.1:13134/status"]

FROM scratch AS service
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sbom/iris-prediction-api.cdx.json /usr/share/sbom/
COPY --from=build /out/iris-prediction-api /
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=3s --timeout=3s --retries=3 CMD ["/iris-prediction-api", "healthcheck"]
ENTRYPOINT ["/iris-prediction-api"]

FROM scratch AS verifier
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sbom/verifier.cdx.json /usr/share/sbom/
COPY --from=build /out/verifier /
# A run folder is written below here: mount what is to be kept.
COPY --from=build --chown=65532:65532 /out/runs /runs
USER 65532:65532
EXPOSE 4317 4318
ENTRYPOINT ["/verifier"]
