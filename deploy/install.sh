#!/usr/bin/env bash
# Installs the built server as a systemd service: binary and Swift libraries in /usr/local/lib/clserver, weights in
# /usr/local/share/clserver, units in /etc/systemd/system, configuration in /etc/clserver (kept when there).
# `make build backbone` comes first; the Swift toolchain is not needed where this installs to.
# DESTDIR installs into another root; then nothing is enabled and no package is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
destination=${DESTDIR:-}
binary=${BINARY:-.build/release/clserver}
backbone=${BACKBONE:-var/backbones/clip-vit-b-16}
name=$(basename "$backbone")

[ -x "$binary" ] || { echo "install: $binary is missing: run make build" >&2; exit 1; }
[ -f "$backbone/model.safetensors" ] || { echo "install: $backbone is missing: run make backbone" >&2; exit 1; }
[ -n "$destination" ] || [ "$(id -u)" -eq 0 ] || { echo "install: needs root" >&2; exit 1; }

lib=$destination/usr/local/lib/clserver
share=$destination/usr/local/share/clserver/backbones/$name
units=$destination/etc/systemd/system
install -d "$lib" "$share" "$units" "$destination/etc/clserver" "$destination/usr/local/bin" \
  "$destination/usr/local/share/doc/clserver"

# The binary looks for Swift's libraries beside itself ($ORIGIN). All other libraries are Debian's.
install -m 0755 "$(readlink -f "$binary")" "$lib/clserver.new"
mv "$lib/clserver.new" "$lib/clserver"
ldd "$binary" | awk '$3 ~ /swift/ { print $3 }' | while read -r library; do install -m 0644 "$library" "$lib/"; done
ln -sf ../lib/clserver/clserver "$destination/usr/local/bin/clserver"

for file in "$backbone"/*; do install -m 0644 "$file" "$share/"; done
install -m 0644 docs/*.md "$destination/usr/local/share/doc/clserver/"
install -m 0644 deploy/clserver.service deploy/clserver@.service "$units/"
[ -e "$destination/etc/clserver/clserver.conf" ] || install -m 0644 deploy/clserver.conf "$destination/etc/clserver/"

if [ -z "$destination" ]; then
  apt-get install -y -qq --no-install-recommends \
    libsqlite3-0 libcurl4 libjpeg62-turbo libpng16-16 libwebp7 libwebpdemux2 libarchive13 </dev/null
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --now clserver.service
    systemctl --no-pager --lines=0 status clserver.service
  fi
fi
