#!/usr/bin/env bash
# Puts the chart library, pinned, into vendor/: fetched by npm, held against the hash that package-lock.json has of it.
# The files are committed; this is run when the version in package.json changes. Needs npm.
set -euo pipefail
cd "$(dirname "$0")"

version=$(node -p 'require("./package.json").devDependencies.uplot')
wanted=$(node -p 'require("./package-lock.json").packages["node_modules/uplot"].integrity')
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

packed=$(npm pack "uplot@$version" --silent --pack-destination "$tmp")
found=sha512-$(openssl dgst -sha512 -binary "$tmp/$packed" | base64 -w0)
[ "$found" = "$wanted" ] || { echo "vendor: uplot $version is not what package-lock.json says: $found" >&2; exit 1; }

tar -xzf "$tmp/$packed" -C "$tmp"
mkdir -p vendor
cp "$tmp"/package/dist/{uPlot.iife.min.js,uPlot.min.css} vendor/
cp "$tmp/package/LICENSE" vendor/uPlot.LICENSE
echo "vendor: uplot $version, $found"
