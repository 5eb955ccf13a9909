# shellcheck shell=bash
# The GitHub action, run as GitHub runs it: each test is a job of its own in $work/job.

WORDS='abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about'

begin_job() {
    end_action
    rm -rf "$work/job"
    mkdir -p "$work/job"
    touch "$work/job/path" "$work/job/env" "$work/job/output"
}

# Runs a script of the action. The variables before the call replace these inputs.
run_step() { # script
    env RUNNER_TEMP="$work/job" GITHUB_PATH="$work/job/path" GITHUB_ENV="$work/job/env" \
        GITHUB_OUTPUT="$work/job/output" ACTION_REF="${ACTION_REF:-}" \
        ATTESTED_REPOSITORY="${ATTESTED_REPOSITORY:-}" PATH="${EXTRA_PATH:-}$PATH" \
        INPUT_RELEASES="file://$work/release" INPUT_VERSION="${VERSION:-}" INPUT_INTEROP_KEYS="${INTEROP:-}" \
        INPUT_MNEMONIC="${MNEMONIC:-}" INPUT_KEY_RANGE=0..2 INPUT_NETWORK=hoodi INPUT_PORT="${PORT-19000}" \
        INPUT_ARGUMENTS="${ARGUMENTS:---access-logs-enabled}" INPUT_TIMEOUT=60 "packaging/github-action/$1"
}

# Ends what a failed test has left running.
end_action() {
    local file
    for file in "$work"/job/signerd/*/pid; do
        [ ! -f "$file" ] || kill "$(cat "$file")" || true
    done
}

output_of_step() { sed -n "s/^$1=//p" "$work/job/output" | tail -n 1; } # name

serves() { # number of keys
    local keys
    run_step start
    keys=$(output_of_step keys)
    echo "$keys"
    [ "$(tr ',' '\n' <<<"$keys" | grep -Ec '^0x[0-9a-f]{96}$')" = "$1" ]
    curl -sS --fail "$(output_of_step url)/upcheck"
    no_mnemonic_is_left
    run_and_expect 0 stop/stop
    grep -q 'log of signerd on port' "$work/said"
}

no_mnemonic_is_left() { ! find "$work/job" -name mnemonic | grep . >/dev/null; }

run_and_expect() { # exit status, script
    local status=0
    run_step "$2" >"$work/said" 2>&1 || status=$?
    cat "$work/said"
    [ $status = "$1" ]
}

fails_at_once() { # words that its output must have
    local begin=$SECONDS
    run_and_expect 1 start
    grep -q -e "$1" "$work/said"
    grep -q '^::error::' "$work/said"
    [ $((SECONDS - begin)) -le 10 ] # the timeout is 60 s
    no_mnemonic_is_left
}

serves_twice() {
    PORT=19000 INTEROP=0..1 run_step start
    PORT=19001 INTEROP=1..3 run_step start
    curl -sS --fail http://127.0.0.1:19000/upcheck http://127.0.0.1:19001/upcheck
    PORT=19001 run_step stop/stop
    curl -sS --fail http://127.0.0.1:19000/upcheck
    PORT='' run_step stop/stop
    not curl -sS --fail http://127.0.0.1:19000/upcheck
}

refuses_the_port_of_a_stale_one() {
    INTEROP=0..1 run_step start
    mv "$work/job/signerd/19000" "$work/stale"
    INTEROP=0..1 fails_at_once 'port 19000 is taken'
    kill "$(cat "$work/stale/pid")"
    rm -rf "$work/stale"
}

chooses() { # expected version, input, ref of the action
    : >"$work/job/output"
    VERSION=$2 ACTION_REF=$3 run_step version
    [ "$(output_of_step version)" = "$1" ]
}

chooses_its_own_version() {
    chooses 0.1.0 '' v0.1.0
    chooses 0.2.0 v0.2.0 v0.1.0
    chooses '' '' main
    chooses '' '' v1
}

# Puts a gh on the PATH that accepts or refuses, and notes its arguments.
checks_the_attestation() {
    mkdir -p "$work/gh"
    printf '#!/bin/sh\necho "$@" >"%s"\nexit 0\n' "$work/gh/called" >"$work/gh/gh"
    chmod +x "$work/gh/gh"
    EXTRA_PATH=$work/gh: ATTESTED_REPOSITORY=owner/signerd INTEROP=0..1 serves 1
    grep -qx "attestation verify $work/job/signerd/bin/signerd --repo owner/signerd" "$work/gh/called"
    begin_job
    printf '#!/bin/sh\nexit 1\n' >"$work/gh/gh"
    EXTRA_PATH=$work/gh: ATTESTED_REPOSITORY=owner/signerd INTEROP=0..1 fails_at_once 'was not built by'
}

uses_what_is_there() {
    mkdir -p "$work/job/signerd/bin"
    cp "$binary" "$work/job/signerd/bin/signerd"
    mv "$work/release" "$work/hidden"
    VERSION=$version INTEROP=0..1 serves 1
    mv "$work/hidden" "$work/release"
}

test_action() {
    section "the GitHub action"
    [ -d "$work/release" ] || make_release
    begin_job
    INTEROP=0..4 try "it starts the signer with interop keys, and stops it" serves 4
    begin_job
    MNEMONIC=$WORDS try "it starts the signer with a mnemonic, and removes the words" serves 2
    begin_job
    try "two signers in one job" serves_twice
    begin_job
    MNEMONIC=$WORDS ARGUMENTS=--no-such-option try "a wrong argument fails at once, with the log" fails_at_once no-such-option
    begin_job
    try "no keys is an error" fails_at_once 'has no keys'
    begin_job
    try "a port that a stale signer holds is an error" refuses_the_port_of_a_stale_one
    begin_job
    try "@vX installs version X" chooses_its_own_version
    begin_job
    try "the attestation is checked if gh is installed" checks_the_attestation
    begin_job
    try "a cached program is used" uses_what_is_there
    end_action
}
