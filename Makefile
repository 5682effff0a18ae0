# make test    everything that is tested, with the tools that the tests need
# make lint    the rules of the house: .golangci.yml, gofumpt, go vet
# make fuzz    each fuzz target for FUZZTIME
# make bench   the benchmarks
# make build   ./caddy: Caddy with this module

GO       ?= go
PACKAGES ?= ./...
FUZZTIME ?= 5s
BENCH    ?= .

export GO FUZZTIME

.PHONY: test tools lint fmt fuzz bench build

test: tools
	scripts/test $(PACKAGES)

tools:
	scripts/tools

lint:
	scripts/lint

fmt:
	scripts/lint --fix

fuzz:
	scripts/fuzz

bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PACKAGES)

build:
	$(GO) build -o caddy ./cmd/caddy
