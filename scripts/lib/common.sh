# Sourced by the scripts: where the checkout is, how to say something, how to become root.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
DEPS=$ROOT/.deps
export LC_ALL=C.UTF-8

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "'$*' needs root; run as root or install sudo"
  fi
}

jobs_count() { nproc 2>/dev/null || echo 2; }

# Prints the path of a pip that belongs to this checkout, so that nothing is installed system-wide.
pip_path() {
  local venv=$DEPS/pip
  if [ ! -x "$venv/bin/pip" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 || die "python3 -m venv failed"
  fi
  echo "$venv/bin/pip"
}

# fetch_wheel NAME: downloads the pinned wheel of scripts/wheels.txt into .deps/wheels, verified, and prints its path.
fetch_wheel() {
  local name=$1 dir=$DEPS/wheels requirement=$DEPS/wheels/$1.txt found
  mkdir -p "$dir"
  # The row of this wheel with its continuation lines.
  sed -n "/^$name==/,/[^\\\\]\$/p" "$ROOT/scripts/wheels.txt" >"$requirement.new"
  [ -s "$requirement.new" ] || die "scripts/wheels.txt has no row for $name"
  found=$(compgen -G "$dir/${name//-/_}-*.whl" || true)
  if [ -z "$found" ] || ! cmp -s "$requirement.new" "$requirement"; then
    rm -f "$dir/${name//-/_}"-*.whl
    "$(pip_path)" download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
      --implementation cp --python-version 3.11 --abi cp311 --abi none \
      --platform "manylinux_2_28_$(uname -m)" --platform "manylinux_2_27_$(uname -m)" \
      --platform "manylinux2014_$(uname -m)" --platform any \
      --dest "$dir" --requirement "$requirement.new" >&2 || die "cannot fetch the wheel of $name"
    mv "$requirement.new" "$requirement"
    found=$(compgen -G "$dir/${name//-/_}-*.whl")
  fi
  rm -f "$requirement.new"
  echo "$found"
}
