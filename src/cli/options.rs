//! Every option of the service, declared once: its names, the type of its value, its default and its help.
//!
//! `values.get(options::HTTP_LISTEN_PORT)` reads one. The command line, the environment, the configuration
//! file, `--help`, the manual page and the completions all work from this table.
//!
//! In the environment the name of an option is a prefix, then its name in capitals with `_` for `-`. In the
//! configuration file it is the name itself, with or without `eth2.` before it.

use log::LevelFilter;

use super::typed_option::{
    OptionRow, TypedOption, ValueForm, choice, connections, count, directory, file, hours, list,
    minutes, number, optional_switch, path, range, row, seconds, secret, switch, text, typed,
};
use super::value_types::{
    AnyPath, Auto, Choice, DirectoryList, IndexRange, ListableDirectory, Number, Optional,
    ReadableFile, SecretToken, Switch, Text, TextList, TimeSpan,
};
use crate::consensus::network::Fork;
use crate::log::LogFormat;

/// The largest number of things that a 32-bit index can count.
const COUNT_MAX: u64 = u32::MAX as u64;

/// Declares a typed constant per option, and from the same lines the table [`GROUPS`].
macro_rules! option_groups {
    ($($title:literal { $($constant:ident: $value_type:ty = $declaration:expr;)* })*) => {
        $($(pub(crate) const $constant: TypedOption<$value_type> = $declaration;)*)*

        /// All options, by group.
        pub(crate) const GROUPS: &[(&str, &[OptionRow])] =
            &[$(($title, &[$($constant.row),*])),*];
    };
}

option_groups! {
    "Signing API" {
        HTTP_LISTEN_HOST: Text = text("http-listen-host", "HOST", "address to listen on")
            .default("127.0.0.1").alias(&["host"]);
        HTTP_LISTEN_PORT: Number<u16> = number("http-listen-port", "PORT", 0, 65_535, "port")
            .default("8080").eth2("9000").alias(&["port"]).short('p');
        LISTEN_UNIX: Optional<AnyPath> =
            path("listen-unix", "PATH", "listen on a Unix socket too (mode 0660)");
        HTTP_HOST_ALLOWLIST: TextList =
            list("http-host-allowlist", "HOSTS", Some("localhost"), "Host headers served; *: any");
        HTTP_CORS_ORIGINS: TextList =
            list("http-cors-origins", "ORIGINS", None, "web origins that may call; *: any");
        IDLE_CONNECTION_TIMEOUT: TimeSpan =
            seconds("idle-connection-timeout-seconds", "close an idle connection after")
            .default("120");
        MAX_CONNECTIONS_PER_ADDRESS: Number<usize> =
            connections("max-connections-per-address", "connections of one remote address").default("1024");
        MAX_CONNECTIONS_LOCAL: Number<usize> =
            connections("max-connections-local", "the same, from this host").default("4096");
        SIGNING_EXT_ENABLED: Switch =
            switch("Xsigning-ext-enabled", "false", "sign proofs of validation");
        WORKERS: Auto<Number<usize>> =
            number("workers", "N", 1, 1024, "signing threads; auto: one a core").auto().short('w');
    }
    "TLS and access" {
        TLS_CERT: Optional<ReadableFile> =
            file("tls-cert", "PEM", "serve over TLS with this certificate").restricts_access();
        TLS_KEY: Optional<ReadableFile> = file("tls-key", "PEM", "its private key").restricts_access();
        TLS_KEYSTORE_FILE: Optional<ReadableFile> =
            file("tls-keystore-file", "P12", "certificate and key as PKCS#12 instead").restricts_access();
        TLS_KEYSTORE_PASSWORD_FILE: Optional<ReadableFile> =
            file("tls-keystore-password-file", "FILE", "password of the PKCS#12 file").restricts_access();
        TLS_CLIENT_CA: Optional<ReadableFile> =
            file("tls-client-ca", "PEM", "serve only clients of this CA").restricts_access();
        TLS_KNOWN_CLIENTS: Optional<ReadableFile> =
            file("tls-known-clients", "FILE", "serve only these: name, SHA-256 print")
            .alias(&["tls-known-clients-file"]).restricts_access();
        TLS_ALLOW_CA_CLIENTS: Switch =
            switch("tls-allow-ca-clients", "false", "Web3Signer's switch for --tls-client-ca")
            .restricts_access().only_in_manual();
        TLS_ALLOW_ANY_CLIENT: Switch =
            switch("tls-allow-any-client", "false", "ask no client for a certificate").restricts_access();
        AUTH_TOKEN: Optional<SecretToken> =
            secret("auth-token", "TOKEN", "needed on all routes but health")
            .restricts_access();
        AUTH_TOKEN_FILE: Optional<ReadableFile> =
            file("auth-token-file", "FILE", "the same, from a file").restricts_access();
    }
    "Metrics and logs" {
        METRICS_ENABLED: Switch = switch("metrics-enabled", "true", "serve /metrics").eth2("false");
        METRICS_HOST: Text = text("metrics-host", "HOST", "address of the metrics").default("127.0.0.1");
        METRICS_PORT: Number<u16> = number("metrics-port", "PORT", 0, 65_535, "their port")
            .default("8081").eth2("9001");
        METRICS_HOST_ALLOWLIST: TextList =
            list("metrics-host-allowlist", "HOSTS", Some("localhost"), "Host headers served");
        LOGGING: Choice<LevelFilter> =
            choice("logging", "LEVEL", LOG_LEVELS, "least level logged, off to trace")
            .default("info").alias(&["log-level"]).short('l');
        LOGGING_FORMAT: Choice<LogFormat> =
            choice("logging-format", "FORMAT", LOG_FORMATS, "json, ecs, gcp, logstash, gelf").default("plain");
        ACCESS_LOGS_ENABLED: Switch = switch("access-logs-enabled", "false", "log every request");
        AUDIT_LOG: Optional<AnyPath> = path("audit-log", "FILE", "a JSON line for each signature");
        DUPLICATE_USE_IGNORE: TextList =
            list("duplicate-use-ignore", "NETS", None, "clients that may share keys, or all");
    }
    "Keys" {
        KEYSTORES_PATH: Optional<ListableDirectory> =
            directory("keystores-path", "DIR", "EIP-2335 keystores, NAME.json");
        KEYSTORES_PASSWORDS_PATH: Optional<ListableDirectory> =
            directory("keystores-passwords-path", "DIR", "their passwords, NAME.txt");
        KEYSTORES_PASSWORD_FILE: Optional<ReadableFile> =
            file("keystores-password-file", "FILE", "one password for all of them");
        KEYS: DirectoryList =
            typed(row("keys", ValueForm::List, "DIRS", "keys in any client's or tool's layout"), DirectoryList);
        KEY_CONFIG_PATH: Optional<ListableDirectory> =
            directory("key-config-path", "DIR", "Web3Signer's key files, *.yaml").alias(&["key-store-path"]);
        KEY_STORE_CONFIG_FILE_MAX_SIZE: Number<usize> =
            number("key-store-config-file-max-size", "N", 1, COUNT_MAX, "bytes of the largest")
            .default("104857600");
        RELOAD_TIMEOUT: TimeSpan =
            minutes("reload-timeout", "then a reload counts as failed").default("30");
        INTEROP_KEYS: Optional<IndexRange> =
            range("interop-keys", "interop keys for tests, end exclusive");
        MNEMONIC_FILE: Optional<ReadableFile> =
            file("mnemonic-file", "FILE", "derive keys from these BIP-39 words");
        MNEMONIC_PASSPHRASE_FILE: Optional<ReadableFile> =
            file("mnemonic-passphrase-file", "FILE", "passphrase of the words");
        KEY_RANGE: IndexRange = range("key-range", "keys of the words, end exclusive").default("0..1");
        KEY_CACHE: Optional<AnyPath> = path("key-cache", "FILE", "keep keys sealed for a fast restart");
        DECRYPT_MEMORY_MIB: Auto<Number<u64>> =
            number("decrypt-memory", "MIB", 1, u64::MAX >> 20, "memory for decryption").auto();
        EXPECT_KEYS: Optional<Number<usize>> =
            number("expect-keys", "N", 0, COUNT_MAX, "not healthy with fewer keys");
        STRICT: Switch = switch("strict", "false", "end when a key fails to load");
        REQUIRE_MLOCK: Switch = switch("require-mlock", "false", "end when memory cannot be locked");
        ALLOW_INSECURE_PERMISSIONS: Switch =
            switch("allow-insecure-permissions", "false", "secrets may be open").eth2("true");
    }
    "Keymanager API" {
        DATA_DIR: Optional<AnyPath> =
            path("data-dir", "DIR", "imported keys, slashing protection").alias(&["data-path"]);
        KEY_MANAGER_API_ENABLED: Switch = switch("key-manager-api-enabled", "true", "serve its routes")
            .eth2("false").alias(&["enable-key-manager-api"]);
        KEYMANAGER_TOKEN_FILE: Optional<ReadableFile> =
            file("keymanager-token-file", "FILE", "token; else DATA-DIR/api-token.txt").restricts_access();
        KEYMANAGER_AUTH: Optional<Choice<KeymanagerAuth>> =
            choice("keymanager-auth", "HOW", KEYMANAGER_AUTHS, "token, client-certificate or none");
        SKIP_KEYSTORE_STORAGE: Switch =
            switch("Xkey-manager-skip-keystore-storage", "false", "keep imports in memory only");
    }
    "Network and slashing protection" {
        NETWORK: Optional<Text> = text("network", "NETWORK", "name or config.yaml; default: mainnet");
        ALTAIR_FORK_EPOCH: Optional<Number<u64>> =
            count("Xnetwork-altair-fork-epoch", "override; so for each later fork");
        BELLATRIX_FORK_EPOCH: Optional<Number<u64>> = count("Xnetwork-bellatrix-fork-epoch", "");
        CAPELLA_FORK_EPOCH: Optional<Number<u64>> = count("Xnetwork-capella-fork-epoch", "");
        DENEB_FORK_EPOCH: Optional<Number<u64>> = count("Xnetwork-deneb-fork-epoch", "");
        ELECTRA_FORK_EPOCH: Optional<Number<u64>> = count("Xnetwork-electra-fork-epoch", "");
        FULU_FORK_EPOCH: Optional<Number<u64>> = count("Xnetwork-fulu-fork-epoch", "");
        GLOAS_FORK_EPOCH: Optional<Number<u64>> = count("Xnetwork-gloas-fork-epoch", "");
        SLASHING_PROTECTION_ENABLED: Optional<Switch> =
            optional_switch("slashing-protection-enabled", "default: with a data directory");
        SLASHING_PROTECTION_MIN_SLOT: Optional<Number<u64>> =
            count("slashing-protection-min-slot", "a new key signs no block below");
        SLASHING_PROTECTION_MIN_EPOCH: Optional<Number<u64>> =
            count("slashing-protection-min-epoch", "a new key signs no vote below");
        SLASHING_PROTECTION_NEW_STORE: Switch =
            switch("slashing-protection-new-store", "false", "replace a store that was lost");
        SLASHING_PROTECTION_DB_IGNORE: Switch = switch("slashing-protection-db-ignore", "false", "");
    }
    "Slashing protection shared by several instances" {
        // It may hold a password.
        SLASHING_PROTECTION_DB_URL: Optional<Text> = typed(
            row("slashing-protection-db-url", ValueForm::Secret, "URL", "PostgreSQL, in Web3Signer's schema"),
            Optional(Text),
        );
        SLASHING_PROTECTION_DB_USERNAME: Optional<Text> =
            text("slashing-protection-db-username", "NAME", "its user");
        SLASHING_PROTECTION_DB_PASSWORD: Optional<Text> = typed(
            row("slashing-protection-db-password", ValueForm::Secret, "PASSWORD", "the user's password"),
            Optional(Text),
        );
        SLASHING_PROTECTION_DB_PASSWORD_FILE: Optional<ReadableFile> =
            file("slashing-protection-db-password-file", "FILE", "the same, from a file");
        SLASHING_PROTECTION_DB_POOL_CONFIGURATION_FILE: Optional<ReadableFile> =
            file("slashing-protection-db-pool-configuration-file", "FILE", "its properties");
        SLASHING_PROTECTION_DB_HEALTH_INTERVAL: Optional<Number<u64>> = number(
            "slashing-protection-db-health-check-interval-milliseconds",
            "MS", 100, 3_600_000, "between checks",
        );
        SLASHING_PROTECTION_DB_HEALTH_TIMEOUT: Optional<Number<u64>> = number(
            "slashing-protection-db-health-check-timeout-milliseconds",
            "MS", 100, 60_000, "most time that a check of the connection takes",
        ).only_in_manual();
        SLASHING_PROTECTION_PRUNING_ENABLED: Switch =
            switch("slashing-protection-pruning-enabled", "true", "remove old records");
        SLASHING_PROTECTION_PRUNING_EPOCHS_TO_KEEP: Number<u64> =
            number("slashing-protection-pruning-epochs-to-keep", "N", 1, u64::MAX >> 20, "kept below the last")
            .default("250");
        SLASHING_PROTECTION_PRUNING_INTERVAL: TimeSpan =
            hours("slashing-protection-pruning-interval", "between two rounds").default("12");
        SLASHING_PROTECTION_PRUNING_AT_BOOT: Switch =
            switch("slashing-protection-pruning-at-boot-enabled", "false", "prune at the start too");
        SLASHING_PROTECTION_PRUNING_SLOTS_PER_EPOCH: Number<u64> =
            number("slashing-protection-pruning-slots-per-epoch", "N", 1, 1 << 16, "slots of an epoch of the network")
            .default("32").only_in_manual();
    }
    "General" {
        CONFIG_FILE: Optional<AnyPath> = path("config-file", "YAML", "options from a file, without dashes");
        HELP: Optional<Switch> = optional_switch("help", "this text").short('h');
        VERSION: Optional<Switch> = optional_switch("version", "name and version").short('V');
    }
}

/// The options that move a fork of the network, each with its fork.
pub(crate) const FORK_EPOCHS: [(Fork, TypedOption<Optional<Number<u64>>>); 7] = [
    (Fork::Altair, ALTAIR_FORK_EPOCH),
    (Fork::Bellatrix, BELLATRIX_FORK_EPOCH),
    (Fork::Capella, CAPELLA_FORK_EPOCH),
    (Fork::Deneb, DENEB_FORK_EPOCH),
    (Fork::Electra, ELECTRA_FORK_EPOCH),
    (Fork::Fulu, FULU_FORK_EPOCH),
    (Fork::Gloas, GLOAS_FORK_EPOCH),
];

/// How callers of the Keymanager routes show that they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeymanagerAuth {
    /// By a token.
    Token,
    /// By the certificate with which they came in over TLS, or by a token.
    ClientCertificate,
    /// Not at all: everybody may.
    NotAsked,
}

const KEYMANAGER_AUTHS: Choice<KeymanagerAuth> = Choice {
    words: &[
        ("token", KeymanagerAuth::Token),
        ("client-certificate", KeymanagerAuth::ClientCertificate),
        ("none", KeymanagerAuth::NotAsked),
    ],
    expected: "token, client-certificate or none",
};

/// The names of Web3Signer (log4j), of py3signer (Python) and of our own log.
const LOG_LEVELS: Choice<LevelFilter> = Choice {
    words: &[
        ("off", LevelFilter::Off),
        ("fatal", LevelFilter::Error),
        ("critical", LevelFilter::Error),
        ("error", LevelFilter::Error),
        ("warn", LevelFilter::Warn),
        ("warning", LevelFilter::Warn),
        ("info", LevelFilter::Info),
        ("debug", LevelFilter::Debug),
        ("trace", LevelFilter::Trace),
        ("all", LevelFilter::Trace),
    ],
    expected: "off, error, warn, info, debug, trace or all",
};

/// Ours, and those of Web3Signer.
const LOG_FORMATS: Choice<LogFormat> = Choice {
    words: &[
        ("plain", LogFormat::Plain),
        ("text", LogFormat::Plain),
        ("json", LogFormat::Json),
        ("ecs", LogFormat::Ecs),
        ("gcp", LogFormat::Gcp),
        ("logstash", LogFormat::Logstash),
        ("gelf", LogFormat::Gelf),
    ],
    expected: "plain, json, ecs, gcp, logstash or gelf",
};

/// Every option of ours.
pub(crate) fn rows() -> impl Iterator<Item = &'static OptionRow> {
    GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::CONNECTIONS_MAX;

    #[test]
    fn each_fork_that_the_network_can_move_has_its_option() {
        let named: Vec<_> = FORK_EPOCHS
            .iter()
            .map(|(fork, option)| {
                let name = format!("Xnetwork-{}-fork-epoch", fork.name().to_ascii_lowercase());
                assert_eq!(option.row.name, name);
                *fork
            })
            .collect();
        assert_eq!(named, Fork::ALL[1..Fork::ALL.len() - 1]);
    }

    #[test]
    fn as_many_connections_are_allowed_as_the_server_takes() {
        assert_eq!(
            MAX_CONNECTIONS_LOCAL.row.default,
            Some(CONNECTIONS_MAX.to_string().as_str())
        );
    }
}
