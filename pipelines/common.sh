# SPDX-License-Identifier: LGPL-2.1-or-later
# What the scripts beside this file share; they source it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where it was built and not installed.
if [ -e "$root/build/gst-plugin/libgstpatchcore.so" ] && [ -z "${GST_PLUGIN_PATH:-}" ]; then
  export GST_PLUGIN_PATH=$root/build/gst-plugin GST_REGISTRY=$root/build/gst-registry.bin
fi

# Where pictures go, in the words of gst-launch-1.0; SINK=fakesink shows none.
read -ra sink <<<"${SINK:-videoconvert ! autovideosink}"

# The comment at the head of the script that sources this is its usage.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

# Prints a pipeline as one would type it, and runs it.
play() {
  printf '  gst-launch-1.0' >&2
  printf ' %q' "$@" >&2
  printf '\n' >&2
  gst-launch-1.0 -q -e "$@"
}
