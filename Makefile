# Each target is one command that can be typed as well. Only Go is needed; `make lint` builds its linter once, in minutes.
GO ?= go
LINT = $(GO) tool -modfile=.ci/tools.mod golangci-lint

.PHONY: dev test race lint fmt soak bench ci

dev: ## everything on this machine: PostgreSQL, sandbox, API, workers, dashboard
	$(GO) run ./cmd/enlace dev

test: ## all tests, with a PostgreSQL that starts by itself
	$(GO) test ./...

race: ## the same under the race detector
	$(GO) test -race -timeout 25m ./...

lint: ## what CI checks beside the tests
	bash .ci/run lint

fmt: ## gofumpt, and imports in three groups
	$(LINT) fmt ./...

soak: ## the random schedules at length: hours
	ENLACE_SOAK=1 ENLACE_SCHEDULES=1000000 $(GO) test -timeout 3h ./...

bench: ## the benchmarks, without the tests
	$(GO) test -run '^$$' -bench . -benchmem ./...

ci: ## all of it, as on a fresh machine
	bash .ci/run
