# make test    everything that is tested, with the tools that the tests need
# make lint    the rules of the house: .golangci.yml, gofumpt, go vet
# make fuzz    each fuzz target for FUZZTIME
# make bench   what it costs, here and elsewhere: docs/PERFORMANCE.md, in half an
#              hour; BENCH=quick make bench: in five minutes, below .cache
# make gobench the Go benchmarks whose names match GOBENCH
# make build   ./caddy: Caddy with this module

GO       ?= go
PACKAGES ?= ./...
FUZZTIME ?= 5s
BENCH    ?= full
GOBENCH  ?= .

export GO FUZZTIME

.PHONY: test tools lint fmt fuzz bench gobench build

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
	scripts/tools bench
	$(GO) run ./bench -mode '$(BENCH)'

gobench:
	$(GO) test -run '^$$' -bench '$(GOBENCH)' -benchmem $(PACKAGES)

build:
	$(GO) build -o caddy ./cmd/caddy
