_signerd() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    # bash takes the = of --name=value for a word.
    if [[ $word == = ]]; then
        word=
    elif [[ $previous == = ]]; then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $previous in
    --keymanager-auth) COMPREPLY=($(compgen -W "token client-certificate none" -- "$word") $(compgen -f -- "$word")); return ;;
    --logging) COMPREPLY=($(compgen -W "off fatal critical error warn warning info debug trace all" -- "$word") $(compgen -f -- "$word")); return ;;
    --logging-format) COMPREPLY=($(compgen -W "plain text json ecs gcp logstash gelf" -- "$word") $(compgen -f -- "$word")); return ;;
    --network) COMPREPLY=($(compgen -W "mainnet sepolia hoodi holesky goerli plataberget gnosis chiado lukso ephemery minimal swift less-swift" -- "$word") $(compgen -f -- "$word")); return ;;
    keys) [[ $word == -* ]] || { COMPREPLY=($(compgen -W "list new" -- "$word")); return; } ;;
    slashing) [[ $word == -* ]] || { COMPREPLY=($(compgen -W "export import watermark copy schema" -- "$word")); return; } ;;
    completions) [[ $word == -* ]] || { COMPREPLY=($(compgen -W "bash zsh fish man" -- "$word")); return; } ;;
    esac
    case $word in
    -*) COMPREPLY=($(compgen -W "--Xkey-manager-skip-keystore-storage --Xnetwork-altair-fork-epoch --Xnetwork-bellatrix-fork-epoch --Xnetwork-capella-fork-epoch --Xnetwork-deneb-fork-epoch --Xnetwork-electra-fork-epoch --Xnetwork-fulu-fork-epoch --Xnetwork-gloas-fork-epoch --Xsigning-ext-enabled --access-logs-enabled --allow-insecure-permissions --audit-log --auth-token --auth-token-file --block-slot --config-file --count --data-dir --data-path --decrypt-memory --duplicate-use-ignore --enable-key-manager-api --epoch --expect-keys --force --from --genesis-validators-root --help --host --http-cors-origins --http-host-allowlist --http-listen-host --http-listen-port --idle-connection-timeout-seconds --interop-keys --json --key --key-cache --key-config-path --key-manager-api-enabled --key-range --key-store-config-file-max-size --key-store-path --keymanager-auth --keymanager-token-file --keys --keystores-password-file --keystores-passwords-path --keystores-path --listen-unix --log-level --logging --logging-format --max-connections-local --max-connections-per-address --metrics-enabled --metrics-host --metrics-host-allowlist --metrics-port --mnemonic-file --mnemonic-passphrase-file --network --no-keys --out --port --reload-timeout --remove --remove-high-watermark --require-mlock --set-high-watermark --slashing-protection-db-health-check-interval-milliseconds --slashing-protection-db-health-check-timeout-milliseconds --slashing-protection-db-ignore --slashing-protection-db-password --slashing-protection-db-password-file --slashing-protection-db-pool-configuration-file --slashing-protection-db-url --slashing-protection-db-username --slashing-protection-enabled --slashing-protection-min-epoch --slashing-protection-min-slot --slashing-protection-new-store --slashing-protection-pruning-at-boot-enabled --slashing-protection-pruning-enabled --slashing-protection-pruning-epochs-to-keep --slashing-protection-pruning-interval --slashing-protection-pruning-slots-per-epoch --slot --source-epoch --strict --target-epoch --timeout --tls-allow-any-client --tls-allow-ca-clients --tls-cert --tls-client-ca --tls-key --tls-keystore-file --tls-keystore-password-file --tls-known-clients --tls-known-clients-file --to --url --validator-ids --validator-index --version --workers" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "healthcheck wait top check keys exit slashing watermark-repair completions eth2 help" -- "$word") $(compgen -f -- "$word")) ;;
    esac
}
complete -o filenames -F _signerd signerd web3signer
