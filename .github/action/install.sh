#!/usr/bin/env bash
# Puts a liftlock on this machine and names it in the output `binary`: one that is there already, one that is built
# from this commit of the action, or a release whose SHA-256 stands in versions.txt beside this file.
set -euo pipefail
here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
# shellcheck source-path=SCRIPTDIR source=say.sh
. "$here/say.sh"

version=${INPUT_VERSION:-}
path=${INPUT_BINARY_PATH:-}
build=${INPUT_BUILD_FROM_SOURCE:-false}

main() {
  one_of build-from-source "$build" true false
  local binary
  if [ -n "$path" ]; then
    if [ "$build" = true ]; then refuse "'binary-path' and 'build-from-source' exclude each other: give one of them"; fi
    if [ -n "$version" ]; then refuse "'binary-path' and 'version' exclude each other: give one of them"; fi
    named
  elif [ "$build" = true ]; then
    if [ -n "$version" ]; then refuse "'build-from-source' builds this commit of the action: leave 'version' empty"; fi
    built
  else
    released
  fi
  if ! "${unhook[@]}" "$binary" --version; then refuse "'$binary' does not run on this machine"; fi
  output binary "$binary"
}

named() {
  case $path in
    /*) binary=$path ;;
    *) binary=${GITHUB_WORKSPACE:-$PWD}/$path ;;
  esac
  if [ ! -f "$binary" ] || [ ! -x "$binary" ]; then refuse "'binary-path' is '$path', and no program is there"; fi
}

built() {
  local root=${here%/.github/action} rust
  if ! command -v cargo >/dev/null; then
    refuse "'build-from-source' needs cargo: install Rust in an earlier step (https://rustup.rs)"
  fi
  rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  # The machine's own Rust may be older than what the sources are written for.
  if command -v rustup >/dev/null && ! rustup run "$rust" cargo --version >/dev/null 2>&1; then
    rustup toolchain install "$rust" --profile minimal --no-self-update ||
      refuse "Rust $rust cannot be installed: install it in an earlier step"
  fi
  if command -v rustup >/dev/null; then export RUSTUP_TOOLCHAIN=$rust; fi
  # From the action's own folder: a pull request's .cargo/config.toml must not have a say in the build.
  (cd "$root" && "${unhook[@]}" cargo build --release --locked --target-dir "${RUNNER_TEMP:?is set by the runner}/liftlock-build") ||
    refuse 'liftlock cannot be built; what cargo has to say stands above'
  binary=$RUNNER_TEMP/liftlock-build/release/liftlock
}

released() {
  local target line sha url archive
  target=$(target)
  # The table is in order of release: the last one is the newest.
  if [ -z "$version" ]; then version=$(table | tail -n 1 | cut -d ' ' -f 1); fi
  if [ -z "$version" ]; then
    refuse "no release of liftlock exists that this commit of the action knows: say 'build-from-source: true', or give a 'binary-path'"
  fi
  version=${version#v}
  line=$(table | awk -v version="$version" -v target="$target" '$1 == version && $2 == target' | head -n 1)
  if [ -z "$line" ]; then
    refuse "liftlock $version for $target is not in this commit's table ($(table | awk '{ print $1 "/" $2 }' | xargs)): give one of those, or 'build-from-source: true'"
  fi
  read -r _ _ sha url <<<"$line"
  archive=${RUNNER_TOOL_CACHE:-${RUNNER_TEMP:?is set by the runner}}/liftlock/$sha.tar.gz
  # What lies in the cache may have been put there by anybody: it is hashed again each time.
  if ! fits "$archive" "$sha"; then fetch "$url" "$sha" "$archive"; fi
  mkdir -p "$RUNNER_TEMP/liftlock-$sha"
  tar -xzf "$archive" -C "$RUNNER_TEMP/liftlock-$sha"
  binary=$RUNNER_TEMP/liftlock-$sha/liftlock
}

table() { grep -v '^#' "$here/versions.txt" || true; }

target() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) echo x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) echo aarch64-unknown-linux-musl ;;
    Darwin-x86_64) echo x86_64-apple-darwin ;;
    Darwin-arm64) echo aarch64-apple-darwin ;;
    *) uname -sm ;;
  esac
}

# Whether the file's bytes are the ones that the table names.
fits() {
  [ -f "$1" ] || return 1
  local sum
  if command -v sha256sum >/dev/null; then sum=$(sha256sum <"$1"); else sum=$(shasum -a 256 <"$1"); fi
  [ "${sum%% *}" = "$2" ]
}

fetch() {
  local url=$1 sha=$2 archive=$3
  mkdir -p "${archive%/*}"
  "${unhook[@]}" curl --proto '=https' --tlsv1.2 --fail --silent --show-error --location --retry 5 --retry-connrefused \
    --connect-timeout 20 --max-time 600 --output "$archive.part" "$url" ||
    refuse "liftlock $version cannot be fetched from $url; with 'build-from-source: true' it is not needed"
  if ! fits "$archive.part" "$sha"; then
    rm -f "$archive.part"
    refuse "what $url sent is not liftlock $version: its SHA-256 is not $sha"
  fi
  mv -f "$archive.part" "$archive"
}

main
