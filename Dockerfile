# One static binary, and nothing beside it but certificates and time zones.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags="-s -w" -o /enlace ./cmd/enlace

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /zoneinfo.zip
COPY --from=build /enlace /usr/local/bin/enlace
ENV PATH=/usr/local/bin \
    ZONEINFO=/zoneinfo.zip \
    LISTEN_ADDR=0.0.0.0:8080
# An account without a name, as there is no /etc/passwd.
USER 65532:65532
EXPOSE 8080
# API and workers alike answer on LISTEN_ADDR.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 CMD ["enlace", "health"]
ENTRYPOINT ["enlace"]
CMD ["serve"]
