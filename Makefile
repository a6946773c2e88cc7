# Each target calls one script or command, which says what it does.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all e2e chaos soak bench pictures tools generate fmt lint mutants fuzz

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## run the agent against services that are broken in 28 ways, on this machine alone
	cargo run --locked -- demo

test: ## run the tests that need only the Rust toolchain; with CI=true the same as test-all
	tests/run

test-all: ## run all tests and checks, and install what they need (real DNS servers, Prometheus, a cluster)
	tests/run all

e2e: ## test the chart, and the agent in a real cluster of two nodes and in the largest ones (root; 50 minutes the first time, then 35)
	tests/run e2e

chaos: ## run an agent while everything around it fails in turn (root, 20 minutes)
	tests/reliability/run chaos

soak: ## run an agent for a million probes while everything changes, and see that nothing grows (root)
	tests/reliability/run soak

bench: ## measure the agent beside blackbox_exporter (root, an idle machine)
	tests/bench/run

pictures: ## take the pictures of the documents from the running programs, in a browser
	tests/browser/run --pictures

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

fuzz: ## give made-up input to what reads the input of others, a minute for each reader (cargo-fuzz)
	PATH="$$(tests/tools/install --print-path):$$PATH" fuzz/run --seconds 60
