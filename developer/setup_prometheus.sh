#!/usr/bin/env bash
# Fetches prometheus and promtool for `make test/dashboard` and `make check`, out
# of the package of Debian or Ubuntu, without installing it: no service is
# started, and only the folder that is named is written to.
#
#   developer/setup_prometheus.sh FOLDER
set -euo pipefail

folder="$1"
if [ -x "$folder/promtool" ] && [ -x "$folder/prometheus" ]; then
    exit 0
fi
mkdir -p "$folder"
if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    ln -sf "$(command -v prometheus)" "$(command -v promtool)" "$folder/"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    cat >&2 <<'TEXT'
prometheus and promtool are not in PATH. Install Prometheus 2.42 or later, then try again:
  macOS    brew install prometheus
  others   https://prometheus.io/download
TEXT
    exit 1
fi

download="$(mktemp -d)"
trap 'rm -rf "$download"' EXIT
# apt's own user, where there is one, writes there.
chmod 777 "$download"
cd "$download"
if ! apt-get download -qq prometheus; then
    if [ "$(id -u)" -eq 0 ]; then
        apt-get update -qq
    else
        sudo apt-get update -qq
    fi
    apt-get download -qq prometheus
fi
dpkg -x prometheus_*.deb files
cd - >/dev/null
cp "$download"/files/usr/bin/prom* "$folder/"
echo "Fetched $("$folder/promtool" --version | head -1)"
