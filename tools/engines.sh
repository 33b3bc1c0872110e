#!/usr/bin/env bash
# Install the engines that tests use, where apt and the rights are there; name what is missing.
set -uo pipefail
missing=()
command -v chromium >/dev/null || missing+=(chromium)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
command -v bwrap >/dev/null || missing+=(bubblewrap)
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing+=(mosquitto)
[ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server-core)
fc-list 2>/dev/null | grep -qi "noto.*cjk" || missing+=(fonts-noto-cjk)
if [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing ${missing[*]} ..."
  (apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" fontconfig) >/tmp/aimass-engines.log 2>&1 \
    || echo "could not install ${missing[*]} (see /tmp/aimass-engines.log)"
fi
for engine in chromium:chromium postgresql:initdb bubblewrap:bwrap mosquitto:mosquitto mariadb:mariadbd; do
  name=${engine%%:*}
  case $name in
    chromium) command -v chromium >/dev/null || { echo "ENGINE MISSING: chromium (browser tests are skipped)"; [ -z "${CI:-}" ] || exit 1; } ;;
    bubblewrap) bwrap --ro-bind / / --unshare-all true 2>/dev/null || echo "ENGINE MISSING: bubblewrap, or it may make no namespaces here (tests of the sandbox are skipped)" ;;
    mosquitto) [ -x /usr/sbin/mosquitto ] || { echo "ENGINE MISSING: mosquitto (tests of devices are skipped)"; [ -z "${CI:-}" ] || exit 1; } ;;
    mariadb) [ -x /usr/sbin/mariadbd ] || { echo "ENGINE MISSING: mariadb (its tests are skipped)"; [ -z "${CI:-}" ] || exit 1; } ;;
    postgresql) ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { echo "ENGINE MISSING: postgresql (its tests are skipped)"; [ -z "${CI:-}" ] || exit 1; } ;;
  esac
done
