# shellcheck shell=bash
# Sign requests, and what their answers must be.

KEY=$(sed -n 's/.*"pubkey": *"\([0-9a-fx]*\)".*/\1/p' "$vectors/pbkdf2-cheap.json")
FORK='"fork_info": {"fork": {"previous_version": "0x00000000", "current_version": "0x00000000", "epoch": "0"},
    "genesis_validators_root": "0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"}'
RANDAO='{"type": "RANDAO_REVEAL", '$FORK', "randao_reveal": {"epoch": "3"}}'

# Two with different first bytes contradict each other.
attestation() { # first byte of the root of the block, in hex
    local zeros=00000000000000000000000000000000000000000000000000000000000000
    printf '{"type": "ATTESTATION", %s, "attestation": {"slot": "320", "index": "0",
        "beacon_block_root": "0x%s%s", "source": {"epoch": "9", "root": "0x00%s"},
        "target": {"epoch": "10", "root": "0x00%s"}}}' "$FORK" "$1" "$zeros" "$zeros" "$zeros"
}

# Asks for a signature; prints the answer and its status.
ask() { # prefix command…, then -- base-URL body curl-arguments…
    local prefix=()
    while [ "$1" != -- ]; do
        prefix+=("$1")
        shift
    done
    local base=$2 body=$3
    shift 3
    "${prefix[@]}" curl -sS -m 10 -w ' %{http_code}' "$@" -H 'Accept: application/json' \
        -H 'Content-Type: application/json' --data "$body" "$base/api/v1/eth2/sign/$KEY"
}

signs() { grep -Eq '"signature": ?"0x[0-9a-f]{192}".* 200$' <(ask "$@" | tee /dev/fd/2); }

refuses() { # status, then as ask
    local status=$1
    shift
    grep -Eq " $status\$" <(ask "$@" | tee /dev/fd/2)
}
