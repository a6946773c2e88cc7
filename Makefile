# Each target calls one script or command, which says what it does.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all e2e bench tools generate fmt lint mutants

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## run the agent against services that are broken in 28 ways, on this machine alone
	cargo run --locked -- demo

test: ## run the tests that need only the Rust toolchain; with CI=true the same as test-all
	tests/run

test-all: ## run all tests and checks, and install what they need (real DNS servers, Prometheus, a cluster)
	tests/run all

e2e: ## test the chart, and the agent in a real cluster of two nodes (root; 25 minutes the first time, then 5)
	tests/run e2e

bench: ## measure the agent beside blackbox_exporter (root, an idle machine)
	tests/bench/run

tools: ## install what test-all needs
	tests/tools/install

generate: ## write the generated files
	tests/generate

fmt: ## format the sources
	cargo fmt --all

lint: ## check the formatting, and run clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

mutants: ## change the judge with cargo-mutants, and list changes that no test notices (half an hour)
	tests/mutants
