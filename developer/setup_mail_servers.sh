#!/usr/bin/env bash
# Fetches Postfix and Exim for `make test/mail`, out of the packages of Debian or
# Ubuntu, without installing them: the two packages exclude each other, and no
# mail server of this machine is to change. Each is unpacked with what it needs
# and this machine has not, and only the folder that is named is written to.
#
#   developer/setup_mail_servers.sh FOLDER
set -euo pipefail

mkdir -p "$1"
folder="$(cd "$1" && pwd)"

if ! command -v apt-get >/dev/null; then
    echo "apt-get is missing: the mail servers are those of Debian or Ubuntu, so try a container of one of these" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Postfix starts as root alone: run 'make test/mail' as root, in a container for instance" >&2
    exit 1
fi

# fetch NAME PACKAGE…: the packages unpacked into FOLDER/NAME
fetch() {
    local name="$1" archives="$folder/archives" archive
    shift
    if [ -e "$folder/$name/ready" ]; then
        return
    fi
    rm -rf "$archives" "${folder:?}/$name"
    mkdir -p "$archives/partial" "$folder/$name"
    local download=(apt-get install -qq -y --download-only --reinstall --no-install-recommends
        -o Debug::NoLocking=1 -o "Dir::Cache::archives=$archives" "$@")
    if ! "${download[@]}"; then
        apt-get update -qq
        "${download[@]}"
    fi
    for archive in "$archives"/*.deb; do
        dpkg -x "$archive" "$folder/$name"
    done
    rm -rf "$archives"
    # Nothing here is to give rights to who runs it.
    find "$folder/$name" -type f -perm /6000 -exec chmod ug-s {} +
    touch "$folder/$name/ready"
    echo "Fetched $name"
}

# libnss-wrapper lets them find users that this machine has not; the SASL packages check logins.
fetch postfix postfix libnss-wrapper libsasl2-modules libsasl2-modules-db sasl2-bin
fetch exim exim4-daemon-light libnss-wrapper
