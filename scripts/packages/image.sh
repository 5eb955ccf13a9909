# shellcheck shell=bash
# The image from scratch, under crun as Kurtosis starts it, and the image on Debian.

# The volumes of a Kurtosis devnet as its genesis generator and eth2-val-tools leave them, owned by root.
make_volumes() {
    mkdir -p "$work/network-configs" "$work/keystores/node-0/teku-keys" "$work/keystores/node-0/teku-secrets"
    printf '%s\n' 'PRESET_BASE: mainnet' 'CONFIG_NAME: testnet' 'GENESIS_FORK_VERSION: 0x10000038' \
        'ALTAIR_FORK_VERSION: 0x20000038' 'ALTAIR_FORK_EPOCH: 0' 'SECONDS_PER_SLOT: 12' 'DEPOSIT_CHAIN_ID: 3151908' \
        >"$work/network-configs/config.yaml"
    cp "$vectors/pbkdf2-cheap.json" "$work/keystores/node-0/teku-keys/0x${KEY#0x}.json"
    cp "$vectors/pbkdf2-cheap.txt" "$work/keystores/node-0/teku-secrets/0x${KEY#0x}.txt"
    chmod -R 0777 "$work/keystores/node-0/teku-keys"
    chmod 0755 "$work" "$work/keystores" "$work/keystores/node-0" "$work/keystores/node-0/teku-secrets"
}

KURTOSIS=(--http-listen-port=9000 '--http-host-allowlist=*' --metrics-enabled=true '--metrics-host-allowlist=*'
    --metrics-host=0.0.0.0 --metrics-port=9001 eth2 --network=/network-configs/config.yaml
    --keystores-path=/keystores/node-0/teku-keys --keystores-passwords-path=/keystores/node-0/teku-secrets
    --slashing-protection-enabled=false)

# Makes a bundle for crun with the user, environment and entry point of the image, and a read-only root.
make_bundle() { # image, arguments…
    local image=$1
    shift
    container=$(buildah from "$image")
    buildah inspect --type image "$image" | jq .Docker.config >"$work/image.json"
    rm -rf "$work/bundle"
    mkdir "$work/bundle"
    (cd "$work/bundle" && crun spec)
    # shellcheck disable=SC2016 # jq expands it
    jq --slurpfile image "$work/image.json" --arg root "$(buildah mount "$container")" --arg work "$work" \
        '$image[0] as $of | ($of.User | split(":") | map(tonumber)) as [$uid, $gid]
        | .root = {path: $root, readonly: true}
        | .process += {terminal: false, user: {uid: $uid, gid: $gid}, args: ($of.Entrypoint + $ARGS.positional),
            env: $of.Env, capabilities: {}, noNewPrivileges: true}
        | .mounts += [("network-configs", "keystores") | {destination: "/\(.)", source: "\($work)/\(.)",
            type: "none", options: ["bind", "ro"]}]' "$work/bundle/config.json" --args -- "$@" >"$work/config.json"
    mv "$work/config.json" "$work/bundle/config.json"
}

# crun refuses a host with both versions of cgroups: show it the second one alone.
oci() {
    # shellcheck disable=SC2016 # the inner shell expands it
    unshare --mount sh -c 'if [ -d /sys/fs/cgroup/unified ]; then
            umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup
        fi
        exec crun --cgroup-manager=disabled "$@"' crun "$@"
}

start_container() {
    oci run --bundle "$work/bundle" --pid-file "$work/pid" --detach signerd-test \
        </dev/null >"$work/container.log" 2>&1 || { cat "$work/container.log"; return 1; }
    nsenter --target "$(cat "$work/pid")" --net ip link set lo up
}

# Runs a program of this host in the network of the container, or one of the image in the container.
beside() { nsenter --target "$(cat "$work/pid")" --net -- "$@"; }
in_container() { oci exec signerd-test "$@"; }

stops_in_time() {
    local pid begin
    pid=$(cat "$work/pid")
    begin=$SECONDS
    oci kill signerd-test TERM
    soon not kill -0 "$pid" 2>/dev/null
    oci delete signerd-test
    [ $((SECONDS - begin)) -le 6 ]
}

image_has() { # jq expression that must be true
    jq -e "$1" "$work/image.json"
}

same_bytes_again() {
    local first
    first=$(sha256sum <"$packages/signerd-image-$architecture.tar")
    scripts/build-image "$architecture" "$binary"
    [ "$first" = "$(sha256sum <"$packages/signerd-image-$architecture.tar")" ]
}

test_images() {
    test_scratch_image
    if [ -d "$roots/debian-12" ]; then
        test_debian_image
    else
        leave_out "the image on Debian" "the archive of Debian 12 is not reachable"
    fi
}

# From a checkout, as the comment of packaging/Dockerfile says. Instead of the Rust image it starts from Debian 12
# with the toolchain and the crates of this machine, so that no registry is needed.
build_from_checkout() {
    local base cargo=${CARGO_HOME:-$HOME/.cargo} checkout=$work/checkout
    git clone -q . "$checkout"
    base=$(buildah from scratch)
    buildah add -q "$base" "$roots/debian-12" /
    buildah add -q "$base" "$cargo/bin" /root/.cargo/bin
    buildah config --env PATH=/root/.cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin "$base"
    buildah commit -q --rm "$base" localhost/signerd-test-rust
    buildah build --format docker --build-arg RUST=localhost/signerd-test-rust \
        --volume "${RUSTUP_HOME:-$HOME/.rustup}:/root/.rustup:ro" --volume "$cargo/registry:/root/.cargo/registry" \
        -f "$checkout/packaging/Dockerfile" -t localhost/signerd-test-checkout "$checkout"
    base=$(buildah from localhost/signerd-test-checkout)
    "$(buildah mount "$base")/signerd" --version
    buildah rm "$base"
}

test_dockerfile() {
    section "packaging/Dockerfile"
    try "it builds from a checkout" build_from_checkout
}

test_scratch_image() {
    section "the image from scratch, under crun"
    try "buildah builds it" scripts/build-image "$architecture" "$binary"
    try "the same input gives the same bytes" same_bytes_again
    make_volumes
    make_bundle "localhost/signerd:$version-$architecture" "${KURTOSIS[@]}"
    try "user, entry point, health check and ports are set" image_has \
        '.User == "10001:10001" and .Entrypoint == ["/signerd"] and .Healthcheck.Test == ["CMD", "/signerd", "healthcheck"]
        and (.ExposedPorts | keys == ["8080/tcp", "8081/tcp", "9000/tcp", "9001/tcp"])
        and .Labels["org.opencontainers.image.version"] == "'"$version"'"'
    try "it starts with Kurtosis' command line, read-only and without privileges" start_container
    try "it loads the keystores of the volume" \
        soon beside "$binary" healthcheck --url http://127.0.0.1:9000 --expect-keys 1
    try "the health check of the image" in_container /signerd healthcheck
    try "it signs on port 9000" signs beside -- http://127.0.0.1:9000 "$RANDAO"
    try "it answers under the name of its service" beside curl -sS --fail -H 'Host: signer-1-geth-teku:9000' \
        http://127.0.0.1:9000/upcheck
    try "metrics on port 9001" beside curl -sS --fail http://127.0.0.1:9001/metrics
    try "the program is also at Web3Signer's path" in_container /opt/web3signer/bin/web3signer --version
    try "SIGTERM ends it in time" stops_in_time
    buildah rm "$container" >/dev/null
    container=
}

test_debian_image() {
    section "the image on Debian"
    try "buildah builds it" build_debian_image
    container=$(buildah from "localhost/signerd:$version-debian-$architecture")
    # shellcheck disable=SC2016 # the shell in the container expands it
    try "it has Web3Signer's user and path, and the programs that wrappers call" buildah run "$container" -- sh -euc '
        [ "$(id -un)" = web3signer ]
        /opt/web3signer/bin/web3signer --version
        command -v bash curl apt-get
        [ -d /opt/web3signer/migrations/postgresql ]'
    # shellcheck disable=SC2016 # the shell in the container expands it
    try "a wrapper can change the user" buildah run --user root "$container" -- sh -euc '
        groupmod -g 10000 web3signer && usermod -u 10000 web3signer && [ "$(id -u web3signer)" = 10000 ]'
    buildah rm "$container" >/dev/null
    container=
}

# On the system that the service test boots, so that no registry is needed.
build_debian_image() {
    local base
    base=$(buildah from scratch)
    buildah add -q "$base" "$roots/debian-12" /
    buildah commit -q --rm "$base" localhost/signerd-test-base
    BASE=localhost/signerd-test-base scripts/build-image --debian "$architecture" "$binary"
}
