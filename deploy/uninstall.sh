#!/usr/bin/env bash
# Removes what install.sh put there. Keeps what was taught and the configuration: --purge removes these too.
set -euo pipefail
[ "$(id -u)" -eq 0 ] || { echo "uninstall: needs root" >&2; exit 1; }
if [ -d /run/systemd/system ]; then
  systemctl disable --now clserver.service 2>/dev/null || true
  systemctl stop 'clserver@*.service' 2>/dev/null || true
fi
rm -rf /usr/local/lib/clserver /usr/local/share/clserver /usr/local/share/doc/clserver
rm -f /usr/local/bin/clserver /etc/systemd/system/clserver.service /etc/systemd/system/clserver@.service
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "${1:-}" = --purge ]; then
  rm -rf /etc/clserver /var/lib/clserver /var/lib/clserver-* /var/lib/private/clserver /var/lib/private/clserver-*
else
  echo "kept: /etc/clserver and /var/lib/clserver (--purge removes them)"
fi
