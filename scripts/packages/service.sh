# shellcheck shell=bash
# The .deb as a service of a Debian that boots systemd: its whole life on Debian 12, and on Debian 13 what
# newer versions of systemd do differently.

TCP=(inside -- http://127.0.0.1:8080)

pid() { inside systemctl show --value --property MainPID signerd; }

is_another() { # process id
    local now
    now=$(pid)
    [ "$now" != 0 ] && [ "$now" != "$1" ] && inside systemctl is-active --quiet signerd
}

# A minimal Debian has no kill but that of its shell.
send() { inside sh -c 'kill -"$1" "$2"' sh "$1" "$2"; } # signal, process

# Runs a command that ends the service's process, and waits for the next one.
restarts_after() { # command…, to which the process id is added
    local before
    before=$(pid)
    [ "$before" -gt 1 ] # 0 if the service does not run; to kill 0 would hit this script
    "$@" "$before"
    soon is_another "$before"
}

has_its_key() { inside signerd wait --timeout 20 --expect-keys 1 "$@"; }

put_keystore() {
    inside install -o signerd -g signerd -m 0600 /vectors/pbkdf2-cheap.json /vectors/pbkdf2-cheap.txt \
        /var/lib/signerd/keystores/
}

status_text() { inside systemctl show --value --property StatusText signerd; }

is_activating() { [ "$(inside systemctl show --value --property ActiveState signerd)" = activating ]; }

# A keystore whose scrypt takes a second.
put_slow_keystore() {
    inside install -o signerd -g signerd -m 0600 /vectors/official-scrypt.json /vectors/official-scrypt.txt \
        /var/lib/signerd/keystores/
}

remove_slow_keystore() {
    inside rm /var/lib/signerd/keystores/official-scrypt.json /var/lib/signerd/keystores/official-scrypt.txt
    inside systemctl restart signerd
    [ "$(status_text)" = '1 key loaded, 0 failed' ]
}

# Whoever is started after the service finds it with its keys.
active_means_keys_are_loaded() {
    put_slow_keystore
    inside systemctl restart --no-block signerd
    soon is_activating
    inside systemctl start signerd # waits for the job that runs
    [ "$(status_text)" = '2 keys loaded, 0 failed' ]
    inside curl -sS --fail http://127.0.0.1:8080/upcheck
    remove_slow_keystore
}

reload_returns_with_the_keys() {
    inside systemctl reload signerd
    [ "$(status_text)" = '1 key loaded, 0 failed' ]
    put_slow_keystore
    inside systemctl reload signerd
    [ "$(status_text)" = '2 keys loaded, 0 failed' ]
    remove_slow_keystore
}

rules_and_dashboards_are_there() {
    inside test -s /usr/share/signerd/prometheus/signerd.rules.yaml
    inside test -s /usr/share/signerd/grafana/signerd-overview.json
    inside test -s /usr/share/signerd/grafana/signerd-fleet.json
}

shows_its_figures() {
    inside curl -sS --fail http://127.0.0.1:8081/ | grep '<h2 id="verdict">' >/dev/null
    inside signerd top --config-file=/etc/signerd/signerd.yaml | grep '1 loaded, 0 pending, 0 failed' >/dev/null
}

memory_is_locked() {
    local kib
    kib=$(inside sed -n 's/^VmLck:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$(pid)/status")
    echo "VmLck: $kib kB"
    [ "$kib" -gt 0 ]
}

# ---------------------------------------------------------------- settings

settings_are_closed() {
    [ "$(inside stat -c %a:%U:%G /etc/signerd/signerd.yaml)" = 640:root:signerd ]
    [ "$(inside stat -c %a:%U:%G /etc/default/signerd)" = 640:root:root ]
}

switch_on_the_socket() {
    inside sed -i 's|^#listen-unix|listen-unix|' /etc/signerd/signerd.yaml
    inside systemctl restart signerd
}

# systemd does not start the service again: the file is still wrong then.
stops_after_a_mistake() {
    inside sed -i 's|^data-dir:|data-dirr:|' /etc/signerd/signerd.yaml
    not inside systemctl restart signerd
    sleep 3
    [ "$(inside systemctl show --value --property ActiveState signerd)" = failed ]
    [ "$(inside systemctl show --value --property NRestarts signerd)" = 0 ]
    [ "$(inside systemctl show --value --property ExecMainStatus signerd)" = 78 ]
    inside journalctl --no-pager -u signerd | grep 'hint: did you mean data-dir' >/dev/null
}

starts_after_the_correction() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        not inside systemctl restart signerd
    done
    inside sed -i 's|^data-dirr:|data-dir:|' /etc/signerd/signerd.yaml
    inside systemctl restart signerd
    has_its_key
}

commands_use_the_control_socket() {
    local config=--config-file=/etc/signerd/signerd.yaml
    inside install -d -m 0755 /tls
    inside install -o root -g signerd -m 0640 /certificates/server.pem /certificates/server.key \
        /certificates/ca.pem /tls
    printf 'tls-cert: /tls/server.pem\ntls-key: /tls/server.key\ntls-client-ca: /tls/ca.pem\nmetrics-enabled: false\n' |
        inside tee -a /etc/signerd/signerd.yaml >/dev/null
    inside systemctl restart signerd
    has_its_key $config
    inside signerd healthcheck --expect-keys 1 $config | grep '/var/lib/signerd/control.sock is healthy' >/dev/null
    inside signerd slashing export $config | grep '"interchange_format_version"' >/dev/null
    [ "$(inside stat -c %a:%U:%F /var/lib/signerd/control.sock)" = 600:signerd:socket ]
    inside sed -i '/^tls-/d; /^metrics-enabled/d' /etc/signerd/signerd.yaml
    inside systemctl restart signerd
    has_its_key
}

# The file is renamed, and the service goes on in a new one.
audit_log_is_rotated() {
    local log=/var/log/signerd/audit.log
    inside sed -i 's|^#audit-log:|audit-log:|' /etc/signerd/signerd.yaml
    inside systemctl restart signerd
    has_its_key
    signs "${TCP[@]}" "$RANDAO"
    inside sh -c "tail -n 1 $log" | grep '"type":"RANDAO_REVEAL"' >/dev/null
    [ "$(inside stat -c %a:%U:%G $log)" = 600:signerd:signerd ]
    [ "$(inside stat -c %a:%U:%G /var/log/signerd)" = 750:signerd:signerd ]
    inside mv $log $log.1
    # As in the postrotate script of /etc/logrotate.d/signerd.
    inside systemctl kill --signal=HUP signerd.service
    soon inside test -e $log
    signs "${TCP[@]}" "$RANDAO"
    [ "$(inside sh -c "cat $log" | wc -l)" = 1 ]
    inside sed -i 's|^audit-log:|#audit-log:|' /etc/signerd/signerd.yaml
    inside systemctl restart signerd
    has_its_key
}

# ---------------------------------------------------------------- a token from systemd's credentials

add_credential() {
    inside mkdir -p -m 0700 /etc/credstore
    printf 'a-token-for-this-test' | inside install -m 0600 /dev/stdin /etc/credstore/signerd.auth-token
    inside sed -i 's|^#\(SIGNERD_AUTH_TOKEN_FILE\)|\1|' /etc/default/signerd
    inside systemctl restart signerd
}

remove_credential() {
    inside rm /etc/credstore/signerd.auth-token
    inside sed -i 's|^\(SIGNERD_AUTH_TOKEN_FILE\)|#\1|' /etc/default/signerd
    inside systemctl restart signerd
}

log_has_no_secret() {
    inside journalctl --no-pager >"$work/journal"
    not grep -e a-token-for-this-test -e "$(cat "$vectors/pbkdf2-cheap.txt")" "$work/journal"
}

# ---------------------------------------------------------------- restarts

# Has a shorter watchdog than the unit, which would take 40 s.
watchdog_restarts_a_process_that_hangs() {
    local healthy
    printf '[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n' |
        inside tee /etc/systemd/system/signerd.service.d/watchdog.conf >/dev/null
    inside systemctl daemon-reload
    inside systemctl restart signerd
    healthy=$(pid)
    sleep 4
    [ "$(pid)" = "$healthy" ] # it does not hang and is left alone
    restarts_after send STOP
    inside rm /etc/systemd/system/signerd.service.d/watchdog.conf
    inside systemctl daemon-reload
    inside systemctl restart signerd
}

remembers_what_it_signed() {
    has_its_key
    signs "${TCP[@]}" "$(attestation 01)"
    refuses 412 "${TCP[@]}" "$(attestation 02)"
}

# The socket unit holds the connections while the service is down.
restarts_without_a_refused_connection() {
    inside systemctl stop signerd
    inside sed -i 's|^listen-unix|#listen-unix|' /etc/signerd/signerd.yaml
    inside systemctl enable --now signerd.socket
    inside systemctl is-active signerd && return 1 # the first connection starts it
    inside curl -sS -m 20 --fail http://127.0.0.1:8080/upcheck
    inside systemctl restart signerd
    inside curl -sS -m 20 --fail http://127.0.0.1:8080/upcheck
    inside curl -sS -m 20 --fail --unix-socket /run/signerd/signerd.sock http://localhost/upcheck
}

# ---------------------------------------------------------------- upgrade, remove, purge

stays_stopped_in_an_upgrade() {
    inside systemctl stop signerd
    inside dpkg -i /packages/first.deb
    not inside systemctl is-active signerd
}

removal_keeps_what_is_not_the_package() {
    not inside test -e /usr/bin/signerd
    inside test -f /etc/signerd/signerd.yaml
    inside test -f /var/lib/signerd/keystores/pbkdf2-cheap.json
    inside getent passwd signerd
}

runs_when_installed_again() {
    inside dpkg -i /packages/first.deb
    inside systemctl is-active signerd
    has_its_key
}

purge_removes_the_settings_alone() {
    not inside test -e /etc/signerd
    not inside test -e /etc/default/signerd
    not inside test -e /var/log/signerd
    inside test -f /var/lib/signerd/keystores/pbkdf2-cheap.json
    inside getent passwd signerd
    # The drop-in of the administrator, here that of this test.
    inside ls -A /etc/systemd/system/signerd.service.d | grep -x strict.conf >/dev/null
}

# ---------------------------------------------------------------- the tests

test_service() {
    if [ -d "$roots/debian-12" ]; then
        test_on_debian_12
    else
        leave_out "Debian 12" "its archive is not reachable"
    fi
    if [ -d "$roots/debian-13" ]; then
        test_on_debian_13
    else
        leave_out "Debian 13" "its archive is not reachable"
    fi
}

test_on_debian_12() {
    local before
    section "the .deb in a Debian 12 that boots systemd"
    boot debian-12
    try "dpkg installs it" inside dpkg -i /packages/first.deb
    try "the service is active" inside systemctl is-active signerd
    try "it is enabled" inside systemctl is-enabled signerd
    try "systemd-analyze verify accepts service and socket" \
        silent inside systemd-analyze verify --man=no signerd.service signerd.socket
    try "systemd-analyze security: exposure at most 1.0" \
        inside systemd-analyze security --no-pager --threshold=10 signerd.service
    try "health over TCP" inside curl -sS --fail http://127.0.0.1:8080/healthcheck
    try "metrics on port 8081" inside curl -sS --fail http://127.0.0.1:8081/metrics
    try "others cannot read the settings, which may hold a token" settings_are_closed

    try "a keystore is added" put_keystore
    try "systemctl reload" inside systemctl reload signerd
    try "the key is loaded without a restart" has_its_key
    try "systemctl status shows the number of keys" [ "$(status_text)" = '1 key loaded, 0 failed' ]
    try "the service becomes active when its keys are loaded, and not before" active_means_keys_are_loaded
    try "the status page, and signerd top over the control socket" shows_its_figures
    try "dashboards and alerts are in /usr/share/signerd" rules_and_dashboards_are_there
    try "memory is locked (VmLck)" memory_is_locked
    try "a signature over TCP" signs "${TCP[@]}" "$RANDAO"
    try "a Unix socket is switched on in signerd.yaml" switch_on_the_socket
    try "the key is loaded after a restart" has_its_key
    try "a member of the group gets a signature over the Unix socket" \
        signs inside setpriv --reuid=nobody --regid=signerd --clear-groups -- http://localhost "$RANDAO" \
        --unix-socket /run/signerd/signerd.sock
    try "another user does not" not ask inside setpriv --reuid=nobody --regid=nogroup --clear-groups -- \
        http://localhost "$RANDAO" --unix-socket /run/signerd/signerd.sock
    try "an attestation is signed" signs "${TCP[@]}" "$(attestation 01)"
    try "one that contradicts it is refused" refuses 412 "${TCP[@]}" "$(attestation 02)"

    before=$(pid)
    try "upgrade to a later version" inside dpkg -i /packages/later.deb
    try "the upgrade restarts the service" soon is_another "$before"
    try "the upgrade keeps the edited settings" inside grep -q '^listen-unix' /etc/signerd/signerd.yaml
    try "the upgrade keeps the key" has_its_key
    try "the upgrade keeps slashing protection" refuses 412 "${TCP[@]}" "$(attestation 02)"
    try "kill -9: systemd restarts it" restarts_after send KILL
    try "the watchdog restarts a process that hangs, and no other" watchdog_restarts_a_process_that_hangs
    try "the same attestation is signed again, the other one refused" remembers_what_it_signed

    try "a mistake in signerd.yaml stops the service at once" stops_after_a_mistake
    try "after ten restarts with the mistake, the first one without it succeeds" starts_after_the_correction
    try "with TLS alone, the commands use the control socket" commands_use_the_control_socket
    try "the audit log is written and rotated" audit_log_is_rotated
    try "a token from systemd's credentials" add_credential
    try "without the token: 401" refuses 401 "${TCP[@]}" "$RANDAO"
    inside signerd wait --timeout 20 || true
    try "with the token: a signature" signs "${TCP[@]}" "$RANDAO" -H 'Authorization: Bearer a-token-for-this-test'
    try "the credential is removed" remove_credential
    try "the log holds neither token nor password" log_has_no_secret
    try "socket activation: no refused connection during a restart" restarts_without_a_refused_connection
    inside systemctl disable --now -q signerd.socket

    try "a stopped service stays stopped in an upgrade" stays_stopped_in_an_upgrade
    inside systemctl start signerd
    try "remove" inside dpkg -r signerd
    try "the process has ended" not inside pgrep -x signerd
    try "removal keeps settings, keys and user" removal_keeps_what_is_not_the_package
    try "installed again, it runs and has its key" runs_when_installed_again
    try "purge" inside dpkg -P signerd
    try "purge removes the settings, not keys and slashing protection" purge_removes_the_settings_alone
    halt
}

test_on_debian_13() {
    section "the .deb in a Debian 13 that boots systemd"
    boot debian-13
    try "Debian 13: dpkg installs it" inside dpkg -i /packages/first.deb
    try "Debian 13: the service is active" inside systemctl is-active signerd
    # shellcheck disable=SC2016 # the shell inside expands it
    try "Debian 13: its type is notify-reload" \
        inside sh -c '[ "$(systemctl show --value --property Type signerd)" = notify-reload ]'
    try "Debian 13: systemd-analyze verify accepts service and socket" \
        silent inside systemd-analyze verify --man=no signerd.service signerd.socket
    try "Debian 13: a keystore is added" put_keystore
    try "Debian 13: systemctl reload returns when the keys are loaded" reload_returns_with_the_keys
    try "Debian 13: the service becomes active when its keys are loaded, and not before" active_means_keys_are_loaded
    try "Debian 13: the watchdog restarts a process that hangs, and no other" watchdog_restarts_a_process_that_hangs
    try "Debian 13: a token from systemd's credentials" add_credential
    try "Debian 13: without the token: 401" refuses 401 "${TCP[@]}" "$RANDAO"
    try "Debian 13: purge" inside dpkg -P signerd
    halt
}
