# notation: sign and verify OCI artifacts. "make" alone builds bin/notation.

# The go command records tag and commit in the program, where there are any.
VCS := $(shell git rev-parse --quiet --verify HEAD >/dev/null 2>&1 && echo true || echo false)
FUZZTIME ?= 5s
TOOLS := $(CURDIR)/.cache/tools/bin

.DEFAULT_GOAL := build
.PHONY: help build pkcs11 demo test fuzz bench bench-go bench-copy bench-scale profile cover tools setup clean

help: ## say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

build: ## build bin/notation
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(VCS) -ldflags '-s -w' -o bin/notation ./cmd/notation

# A release has its tag as version; else the Go command knows one.
pkcs11: ## build bin/notation-pkcs11, the plugin for HSMs, with cgo
	CGO_ENABLED=1 go -C cmd/notation-pkcs11 build -trimpath -buildvcs=$(VCS) -ldflags '-s -w -X main.version=$(patsubst v%,%,$(shell git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null))' -o $(CURDIR)/bin/notation-pkcs11 .

demo: build ## run the announcement's walkthrough against embedded registries
	@go -C test run ./demo -notation $(CURDIR)/bin/notation

test: ## run every check and every test
	@test/all

fuzz: ## fuzz every target; FUZZTIME=10m for ten minutes each
	@test/fuzz $(FUZZTIME)

bench: build tools ## measure the program beside others, BENCHFLAGS='-run verify'
	@go -C bench run . -notation $(CURDIR)/bin/notation $(BENCHFLAGS)

bench-go: ## run the Go benchmarks of every package
	go test -run '^$$' -bench . -benchmem ./...

profile: ## CPU profiles of the hot paths, in .cache/profiles
	@bench/profile

bench-scale: build ## see how an audit grows up to 100,000 artifacts, BENCHFLAGS='-n 10000'
	@go -C bench run ./scale -notation $(CURDIR)/bin/notation $(BENCHFLAGS)

bench-copy: build ## time copying 1 GiB between registries against crane and oras
	@go -C test run ./copybench -notation $(CURDIR)/bin/notation

cover: ## unit test coverage, by function, in .cache/cover.txt
	@mkdir -p .cache
	go test -coverpkg=./... -coverprofile=.cache/cover.out ./...
	@go tool cover -func=.cache/cover.out >.cache/cover.txt
	@tail -1 .cache/cover.txt

# The go command knows what is up to date, by content and version.
tools: ## build the pinned tools that tests run
	@mkdir -p $(TOOLS)
	@cd tools/lint && CGO_ENABLED=0 go build -trimpath -o $(TOOLS)/ tool
	@cd tools/oras && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(TOOLS)/ tool
	@cd tools/cosign && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(TOOLS)/ tool
	@cd tools/minisign && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(TOOLS)/ tool
	@cd tools/crane && CGO_ENABLED=0 go build -trimpath -o $(TOOLS)/ tool
	@cd tools/distribution && CGO_ENABLED=0 go build -trimpath -o $(TOOLS)/ tool
	@cd tools/timestamp-server && CGO_ENABLED=0 go build -trimpath -o $(TOOLS)/ tool

setup: ## install what tests need of Debian's packages
	@test/setup

clean: ## remove what was built
	rm -rf bin .cache
