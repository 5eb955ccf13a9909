//! One row per option: its names in both dialects, its kind, default and help line. Command line,
//! environment, configuration file, `--help`, the man page and the completions are all read from here.
//!
//! Environment names are derived: a prefix of [`ENVIRONMENT_PREFIXES`], then the name in capitals
//! with `_` for `-`. Keys of the configuration file are the names themselves, `eth2.` before them
//! allowed.

/// What an option's value is, and the word that stands for it in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bare, or with `true` or `false`.
    Switch,
    /// A text, number or range; the last one given counts.
    Value(&'static str),
    /// A path; completed as such by shells.
    Path(&'static str),
    /// Comma-separated, repeatable; all count.
    List(&'static str),
    /// A text that is never shown.
    Secret(&'static str),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The canonical name, without dashes.
    pub name: &'static str,
    /// The same option's other names.
    pub aliases: &'static [&'static str],
    /// `-p`.
    pub short: Option<char>,
    /// What follows it.
    pub kind: Kind,
    /// Used when nobody sets it; empty for none.
    pub default: &'static str,
    /// The default of Web3Signer's form, where it differs.
    pub eth2_default: Option<&'static str>,
    /// One line of help.
    pub help: &'static str,
}

/// What becomes of an option of Web3Signer that means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Accepted, and one line in the log.
    Ignored,
    /// Ignored, unless its name ends in `enabled` and its value is true.
    RefusedWhenEnabled(&'static str),
    /// Ends the start, unless `--slashing-protection-db-ignore` is given.
    Database,
}

/// In order of precedence.
pub const ENVIRONMENT_PREFIXES: [&str; 4] = ["SIGNERD_", "WEB3SIGNER_ETH2_", "WEB3SIGNER_", "PY3SIGNER_"];

/// The options that act, by group.
pub const GROUPS: &[(&str, &[Row])] = &[
    ("Signing API", LISTENING),
    ("TLS and access", ACCESS),
    ("Metrics and logs", OPERATIONS),
    ("Keys", KEYS),
    ("Keymanager API", KEYMANAGER),
    ("Network and slashing protection", CHAIN),
    ("General", GENERAL),
];

const LISTENING: &[Row] = &[
    row("http-listen-host", Kind::Value("HOST"), "127.0.0.1", "address to listen on").alias(&["host"]),
    row("http-listen-port", Kind::Value("PORT"), "8080", "port").alias(&["port"]).short('p').eth2("9000"),
    row("listen-unix", Kind::Path("PATH"), "", "listen on a Unix socket too (mode 0660)"),
    row("http-host-allowlist", Kind::List("HOSTS"), "localhost", "Host headers served; *: any"),
    row("http-cors-origins", Kind::List("ORIGINS"), "", "web origins that may call; *: any"),
    row("idle-connection-timeout-seconds", Kind::Value("N"), "120", "close an idle connection after"),
    row("workers", Kind::Value("N"), "auto", "signing threads; auto: one a core").short('w'),
];

const ACCESS: &[Row] = &[
    row("tls-cert", Kind::Path("PEM"), "", "serve over TLS with this certificate"),
    row("tls-key", Kind::Path("PEM"), "", "its private key"),
    row("tls-keystore-file", Kind::Path("P12"), "", "certificate and key as PKCS#12 instead"),
    row("tls-keystore-password-file", Kind::Path("FILE"), "", "password of the PKCS#12 file"),
    row("tls-client-ca", Kind::Path("PEM"), "", "serve only clients of this CA"),
    row("tls-known-clients", Kind::Path("FILE"), "", "serve only these: name, SHA-256 print")
        .alias(&["tls-known-clients-file"]),
    row("tls-allow-ca-clients", Kind::Switch, "", "Web3Signer's switch for --tls-client-ca"),
    row("tls-allow-any-client", Kind::Switch, "", "ask no client for a certificate"),
    row("auth-token", Kind::Secret("TOKEN"), "", "needed on all routes but health"),
    row("auth-token-file", Kind::Path("FILE"), "", "the same, from a file"),
];

const OPERATIONS: &[Row] = &[
    row("metrics-enabled", Kind::Switch, "true", "serve /metrics").eth2("false"),
    row("metrics-host", Kind::Value("HOST"), "127.0.0.1", "address of the metrics"),
    row("metrics-port", Kind::Value("PORT"), "8081", "their port").eth2("9001"),
    row("metrics-host-allowlist", Kind::List("HOSTS"), "localhost", "Host headers served"),
    row("logging", Kind::Value("LEVEL"), "info", "least level logged, off to trace")
        .alias(&["log-level"])
        .short('l'),
    row("logging-format", Kind::Value("FORMAT"), "plain", "plain or json"),
    row("access-logs-enabled", Kind::Switch, "false", "log every request"),
];

const KEYS: &[Row] = &[
    row("keystores-path", Kind::Path("DIR"), "", "EIP-2335 keystores, NAME.json"),
    row("keystores-passwords-path", Kind::Path("DIR"), "", "their passwords, NAME.txt"),
    row("keystores-password-file", Kind::Path("FILE"), "", "one password for all of them"),
    row("keys", Kind::List("DIRS"), "", "keys in any client's or tool's layout"),
    row("key-config-path", Kind::Path("DIR"), "", "Web3Signer's key files, *.yaml")
        .alias(&["key-store-path"]),
    row("key-store-config-file-max-size", Kind::Value("N"), "104857600", "bytes of these"),
    row("interop-keys", Kind::Value("A..B"), "", "interop keys A to B-1, for tests"),
    row("mnemonic-file", Kind::Path("FILE"), "", "derive keys from these BIP-39 words"),
    row("mnemonic-passphrase-file", Kind::Path("FILE"), "", "passphrase of the words"),
    row("key-range", Kind::Value("A..B"), "0..1", "keys of the words, A to B-1"),
    row("key-cache", Kind::Path("FILE"), "", "keep keys sealed for a fast restart"),
    row("decrypt-memory", Kind::Value("MIB"), "auto", "memory for decryption"),
    row("expect-keys", Kind::Value("N"), "", "not healthy with fewer keys"),
    row("strict", Kind::Switch, "false", "end when a key fails to load"),
    row("require-mlock", Kind::Switch, "false", "end when memory cannot be locked"),
    row("allow-insecure-permissions", Kind::Switch, "false", "secrets may be open").eth2("true"),
    row("reload-timeout", Kind::Value("MINUTES"), "30", "give up a reload after"),
];

const KEYMANAGER: &[Row] = &[
    row("data-dir", Kind::Path("DIR"), "", "imported keys, slashing protection").alias(&["data-path"]),
    row("key-manager-api-enabled", Kind::Switch, "true", "serve its routes")
        .alias(&["enable-key-manager-api"])
        .eth2("false"),
    row("keymanager-token-file", Kind::Path("FILE"), "", "token; else DATA-DIR/api-token.txt"),
    row("Xkey-manager-skip-keystore-storage", Kind::Switch, "false", "keep imports in memory only"),
];

const CHAIN: &[Row] = &[
    row("network", Kind::Value("NETWORK"), "mainnet", "a name, or a config.yaml"),
    row("Xnetwork-altair-fork-epoch", Kind::Value("N"), "", "override; so for each later fork"),
    row("Xnetwork-bellatrix-fork-epoch", Kind::Value("N"), "", ""),
    row("Xnetwork-capella-fork-epoch", Kind::Value("N"), "", ""),
    row("Xnetwork-deneb-fork-epoch", Kind::Value("N"), "", ""),
    row("Xnetwork-electra-fork-epoch", Kind::Value("N"), "", ""),
    row("Xnetwork-fulu-fork-epoch", Kind::Value("N"), "", ""),
    row("Xnetwork-gloas-fork-epoch", Kind::Value("N"), "", ""),
    row("slashing-protection-enabled", Kind::Switch, "", "default: with a data directory"),
    row("slashing-protection-min-slot", Kind::Value("N"), "", "a new key signs no block below"),
    row("slashing-protection-min-epoch", Kind::Value("N"), "", "a new key signs no vote below"),
    row("slashing-protection-db-ignore", Kind::Switch, "false", "pass over database options"),
];

const GENERAL: &[Row] = &[
    row("config-file", Kind::Path("YAML"), "", "options from a file, without dashes"),
    row("help", Kind::Switch, "", "this text").short('h'),
    row("version", Kind::Switch, "", "name and version").short('V'),
];

/// Options of Web3Signer that do not act; a final `*` stands for any end.
const FOREIGN: &[(&str, Fate)] = &[
    ("metrics-category", Fate::Ignored),
    ("metrics-categories", Fate::Ignored),
    ("metrics-push-*", Fate::Ignored),
    ("vertx-worker-pool-size", Fate::Ignored),
    ("Xworker-pool-size", Fate::Ignored),
    ("signer-load-*", Fate::Ignored),
    ("Xkey-store-parallel-processing-enabled", Fate::Ignored),
    ("slashing-protection-pruning-*", Fate::Ignored),
    ("slashing-protection-db-pool-configuration-file", Fate::Ignored),
    ("slashing-protection-db-health-check-*", Fate::Ignored),
    ("Xslashing-protection-db-connection-pool-enabled", Fate::Ignored),
    ("Xtrusted-setup", Fate::Ignored),
    ("swagger-ui-enabled", Fate::Ignored),
    ("Xsigning-ext-enabled", Fate::RefusedWhenEnabled("proofs of validation are not served")),
    ("slashing-protection-db-url", Fate::Database),
    ("slashing-protection-db-username", Fate::Database),
    ("slashing-protection-db-password", Fate::Database),
    ("azure-*", Fate::RefusedWhenEnabled(VAULTS)),
    ("aws-*", Fate::RefusedWhenEnabled(VAULTS)),
    ("gcp-*", Fate::RefusedWhenEnabled(VAULTS)),
    ("commit-boost-*", Fate::RefusedWhenEnabled("Commit-Boost's API is not served")),
    ("proxy-keystores-*", Fate::RefusedWhenEnabled("Commit-Boost's API is not served")),
];

const VAULTS: &str =
    "cloud vaults are not read: let their agent write keystores to a directory for --keystores-path";

/// What a name on the command line, in the environment or in a file means.
#[derive(Clone, Copy, Debug)]
pub enum Meaning {
    /// One of our options.
    Option(&'static Row),
    /// An option of Web3Signer without a meaning here.
    Foreign(Fate),
}

/// All options that act.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}

/// The option of that canonical name.
///
/// # Panics
/// When there is none: a mistake in the program.
pub fn named(name: &str) -> &'static Row {
    rows().find(|row| row.name == name).expect("the table holds the name")
}

/// Finds a long name, without dashes, in any case.
pub fn find(name: &str) -> Option<Meaning> {
    let row = rows().find(|row| row.names().any(|known| known.eq_ignore_ascii_case(name)));
    let foreign = || FOREIGN.iter().find(|(pattern, _)| matches(pattern, name));
    row.map(Meaning::Option).or_else(|| foreign().map(|(_, fate)| Meaning::Foreign(*fate)))
}

/// The known names that are closest to `name`, joined by `or`, unless they are far off.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut distances: Vec<_> = known.map(|known| (distance(name, known), known)).collect();
    distances.sort_unstable();
    let &(least, _) = distances.first().filter(|(least, _)| *least <= (name.len() / 3).max(1))?;
    let nearest: Vec<_> = distances.iter().take_while(|(distance, _)| *distance == least).collect();
    Some(nearest.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(" or "))
}

/// The option that is closest to `name`.
pub fn nearest_row(name: &str) -> Option<String> {
    nearest(name, rows().flat_map(Row::names))
}

/// The option of that letter.
pub fn short(letter: char) -> Option<&'static Row> {
    rows().find(|row| row.short == Some(letter))
}

impl Row {
    /// The canonical name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    const fn short(self, short: char) -> Self {
        Self { short: Some(short), ..self }
    }

    const fn eth2(self, default: &'static str) -> Self {
        Self { eth2_default: Some(default), ..self }
    }
}

const fn row(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Row {
    Row { name, aliases: &[], short: None, kind, default, eth2_default: None, help }
}

fn matches(pattern: &str, name: &str) -> bool {
    let matches_start = |start: &str| name.get(..start.len()).is_some_and(|n| n.eq_ignore_ascii_case(start));
    pattern.strip_suffix('*').map_or(pattern.eq_ignore_ascii_case(name), matches_start)
}

/// Levenshtein's edit distance, a row of the matrix at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut above[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = above[j + 1];
            above[j + 1] = substituted.min(diagonal + 1).min(above[j] + 1);
        }
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_names_the_option_that_was_meant() {
        for (slip, meant) in [
            ("keystore-path", Some("key-store-path or keystores-path")),
            ("http-listen-prot", Some("http-listen-port")),
            ("netwrok", Some("network")),
            ("data-dri", Some("data-dir")),
            ("quorum-wallet", None),
        ] {
            assert_eq!(nearest_row(slip).as_deref(), meant, "{slip}");
        }
    }

    #[test]
    fn no_name_has_two_meanings() {
        let mut names: Vec<_> = rows().flat_map(Row::names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for name in names {
            assert!(FOREIGN.iter().all(|(pattern, _)| !matches(pattern, name)), "{name}");
        }
    }
}
