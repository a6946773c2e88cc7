# Thin on purpose: what a target does is written in the script or the command it calls.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all e2e tools generate fmt lint mutants

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## watch the agent tell 28 ways of being broken apart, offline
	cargo run --locked -- demo

test: ## what needs the Rust toolchain alone; with CI=true everything, as test-all
	tests/run

test-all: ## everything, installing what it needs: also lints, licences, real DNS servers, a real Prometheus
	tests/run all

e2e: ## the chart, and the agent in a real cluster of two nodes that disagree (root; 25 minutes the first time, then 5)
	tests/run e2e

tools: ## install what test-all needs, and nothing else
	tests/tools/install

generate: ## write the generated files anew
	tests/generate

fmt: ## format the sources
	cargo fmt --all

lint: ## formatting and clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

mutants: ## change the judge in every way cargo-mutants knows and see that a test notices (half an hour)
	tests/mutants
