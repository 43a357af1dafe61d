#!/usr/bin/env bash
# Installs a package that a target needs beside Rust, make and a C compiler, where
# it is missing. Without an argument that is redis-server 7.0 or later, which
# `make run`, `make demo` and `make test` need. Others are named:
#   postgres  PostgreSQL 15 or later, for `make test` and LEDGER=postgres. Debian starts a server of
#             its own beside it, on port 5432, which nothing here uses
#   pgbouncer for a test of the ledger, which does without
#   venv      python3-venv, for `make dashboard`, `make check/dashboard`, `make check/deny`, `make check/slip`,
#             `make test/api`, `make test/browser`, `make test/workbooks`, `make test/localstack` and
#             `make test/terraform`
#   openssl   for `make test/mail`
#   libreoffice for `make test/workbooks`
#   valgrind  for `make bench/guard`
#   chromium  for `make test/browser` and `make screenshots`
set -euo pipefail

has() {
    command -v "$1" >/dev/null
}

case "${1:-redis}" in
redis | redis-cluster)
    package=redis-server
    has redis-server && exit 0
    else_install='redis-server is not in PATH. Install Redis 7.0 or later, then try again:
  macOS    brew install redis
  Fedora   sudo dnf install redis
  Arch     sudo pacman -S redis'
    ;;
postgres)
    package=postgresql
    # Debian keeps the programs out of PATH.
    IFS=: read -ra folders <<<"$PATH"
    for folder in "${folders[@]}" /usr/lib/postgresql/*/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            version=$("$folder/postgres" --version | grep --only-matching '[0-9]*' | head -n 1)
            [ "$version" -ge 15 ] && exit 0
        fi
    done
    else_install='PostgreSQL 15 or later is not there. Install it, then try again:
  macOS    brew install postgresql
  Fedora   sudo dnf install postgresql-server
  Arch     sudo pacman -S postgresql'
    ;;
pgbouncer)
    package=pgbouncer
    [ -x /usr/sbin/pgbouncer ] && exit 0
    else_install='pgbouncer is not in /usr/sbin: its test does without'
    ;;
venv)
    package=python3-venv
    # Debian's python3 alone makes no virtual environment.
    python3 -c 'import ensurepip' 2>/dev/null && exit 0
    else_install='python3 cannot make a virtual environment: install its module venv, then try again'
    ;;
libreoffice)
    package=libreoffice-calc
    has soffice && exit 0
    else_install='soffice is not in PATH: install LibreOffice Calc, then try again'
    ;;
openssl)
    package=openssl
    has openssl && exit 0
    else_install='openssl is not in PATH: install OpenSSL 3.0 or later, then try again'
    ;;
valgrind)
    package=valgrind
    has valgrind && exit 0
    else_install='valgrind is not in PATH: install Valgrind 3.19 or later, then try again'
    ;;
chromium)
    package=chromium
    if has chromium || has google-chrome; then
        exit 0
    fi
    else_install='chromium is not in PATH: install Chromium or Chrome, or name it in CHROMIUM, then try again'
    ;;
*)
    echo "$0: knows redis, postgres, pgbouncer, venv, openssl, valgrind and chromium, not $1" >&2
    exit 64
    ;;
esac

if ! has apt-get; then
    echo "$else_install" >&2
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! has sudo; then
        echo "$package is missing, and there is no sudo to install it: run 'apt-get install $package' as root" >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "Installing $package"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package"
