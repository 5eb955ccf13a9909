# shellcheck shell=bash
# The GitHub action, run as GitHub runs it.

run_action() { # step
    mkdir -p "$work/actions"
    touch "$work/actions/path" "$work/actions/env" "$work/actions/output"
    env RUNNER_TEMP="$work/actions" GITHUB_PATH="$work/actions/path" GITHUB_ENV="$work/actions/env" \
        GITHUB_OUTPUT="$work/actions/output" INPUT_RELEASES="file://$work/release" INPUT_VERSION='' \
        INPUT_INTEROP_KEYS="${INTEROP:-}" INPUT_MNEMONIC="${MNEMONIC:-}" INPUT_KEY_RANGE=0..2 INPUT_NETWORK=hoodi \
        INPUT_PORT=19000 INPUT_ARGUMENTS='--access-logs-enabled' INPUT_TIMEOUT=60 "packaging/github-action/$1"
}

end_action() {
    [ ! -f "$work/actions/signerd/pid" ] || kill "$(cat "$work/actions/signerd/pid")" || true
}

action_serves() { # number of keys
    local keys
    run_action start
    keys=$(sed -n 's/^SIGNERD_PUBLIC_KEYS=//p' "$work/actions/env" | tail -n 1)
    echo "$keys"
    [ "$(tr ',' '\n' <<<"$keys" | grep -Ec '^0x[0-9a-f]{96}$')" = "$1" ]
    curl -sS --fail "$(sed -n 's/^SIGNERD_URL=//p' "$work/actions/env" | tail -n 1)/upcheck"
    [ ! -e "$work/actions/signerd/mnemonic" ]
}

test_action() {
    section "the GitHub action"
    [ -d "$work/release" ] || make_release
    INTEROP=0..4 try "it starts the signer with interop keys" action_serves 4
    try "it stops the signer" run_action stop/stop
    MNEMONIC='abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about' \
        try "it starts the signer with a mnemonic" action_serves 2
    try "it stops the signer again" run_action stop/stop
}
