# shellcheck shell=bash
# Runs the tests one after the other and keeps the table of their results.

table=() # result|what
failed=0

section() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

# Runs a command and adds a line to the table. Its output is shown only if it fails.
try() { # what, command…
    local what=$1 result=ok status
    shift
    # A subshell that is not a condition: so the first failing step of a function ends it.
    set +e
    (set -e; "$@") >"$work/output" 2>&1
    status=$?
    set -e
    if [ $status != 0 ]; then
        result=FAILED failed=$((failed + 1))
    fi
    printf '%-6s %s\n' "$result" "$what"
    [ $result = ok ] || sed 's/^/       | /' "$work/output" | tail -n 40
    table+=("$result|$what")
}

leave_out() { # what, why
    printf '%-6s %s: %s\n' - "$1" "$2"
    table+=("-|$1 ($2)")
}

print_table() {
    local line
    for line in "${table[@]}"; do
        printf '%-6s  %s\n' "${line%%|*}" "${line#*|}"
    done
    printf '\n'
    for line in "$binary" "$packages/first.deb" "$packages/signerd-image-$architecture.tar"; do
        [ ! -f "$line" ] || stat -c '%s bytes  %n' "$line"
    done
}

# Repeats a command until it succeeds, for 20 seconds at most.
soon() {
    local tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || return 1
        sleep 0.2
    done
}

# Fails if the command fails or prints anything.
silent() {
    local output
    output=$("$@" 2>&1) || { echo "$output"; return 1; }
    [ -z "$output" ] || { echo "$output"; return 1; }
}

not() { ! "$@"; }
