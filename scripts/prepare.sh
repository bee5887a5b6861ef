#!/bin/sh
# Brings Node, npm and Rust onto a bare Alpine or FreeBSD, from that system's own packages; the commands then work as anywhere else.
set -eu
case $(uname -s) in
  FreeBSD) pkg install -y node24 npm-node24 rust ;;
  Linux) apk add --no-cache build-base cargo nodejs npm ;;
  *) echo "For $(uname -s), get Node from nodejs.org and Rust from rustup.rs" >&2; exit 1 ;;
esac
