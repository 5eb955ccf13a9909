# shellcheck shell=bash
# The installer, which takes a release from a folder here.

make_release() {
    mkdir -p "$work/release"
    cp "$binary" "$work/release/signerd-$machine-linux"
    (cd "$work/release" && sha256sum -- * >SHA256SUMS)
}

refuses_a_damaged_file() {
    cp -R "$work/release" "$work/damaged"
    printf x >>"$work/damaged/signerd-$machine-linux"
    not env SIGNERD_RELEASES="file://$work/damaged" scripts/install --to "$work/nowhere"
    [ ! -e "$work/nowhere/signerd" ]
}

test_installer() {
    section "the installer"
    [ -d "$work/release" ] || make_release
    try "it verifies and installs" env SIGNERD_RELEASES="file://$work/release" scripts/install --to "$work/bin"
    try "the installed program runs" "$work/bin/signerd" --version
    try "it refuses a damaged file" refuses_a_damaged_file
}
