#!/bin/sh
# Shows the daemon at work on a real kernel, in a guest with disks that are thrown away afterwards.
# Usage: demo.sh [--shell]   --shell leaves out the tear-down and gives you a shell in the guest
set -eu
cd "$(dirname "$0")/../.."
sh tests/setup.sh --image
exec node dist/tests/vm/demo.js "$@"
