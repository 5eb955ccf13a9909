//! One row per option: its names in both dialects, its kind, default and help line. Command line,
//! environment, configuration file, `--help`, the man page and the completions are all read from here.
//!
//! Environment names are derived: a prefix of [`ENVIRONMENT_PREFIXES`], then the name in capitals
//! with `_` for `-`. Keys of the configuration file are the names themselves, `eth2.` before them
//! allowed.

/// What an option's value is, and the word that stands for it in `--help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) struct Row {
    /// The canonical name, without dashes.
    pub(crate) name: &'static str,
    /// The same option's other names.
    pub(crate) aliases: &'static [&'static str],
    /// `-p`.
    pub(crate) short: Option<char>,
    /// What follows it.
    pub(crate) kind: Kind,
    /// Used when nobody sets it; empty for none.
    pub(crate) default: &'static str,
    /// The default of Web3Signer's form, where it differs.
    pub eth2_default: Option<&'static str>,
    /// One line of help.
    pub(crate) help: &'static str,
}

/// What becomes of an option of Web3Signer that means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Accepted, and one line in the log.
    Ignored,
    /// Ignored, unless its name ends in `enabled` and its value is true.
    RefusedWhenEnabled(&'static str),
    /// Ends the start, unless `--slashing-protection-db-ignore` is given.
    Database,
}

/// In order of precedence.
pub(crate) const ENVIRONMENT_PREFIXES: [&str; 4] =
    ["SIGNERD_", "WEB3SIGNER_ETH2_", "WEB3SIGNER_", "PY3SIGNER_"];

/// The options that act, by group.
#[rustfmt::skip]
pub(crate) const GROUPS: &[(&str, &[Row])] = &[
    ("Signing API", &[
        text("http-listen-host", "HOST", "127.0.0.1", "address to listen on").alias(&["host"]),
        text("http-listen-port", "PORT", "8080", "port").alias(&["port"]).short('p').eth2("9000"),
        path("listen-unix", "PATH", "listen on a Unix socket too (mode 0660)"),
        list("http-host-allowlist", "HOSTS", "localhost", "Host headers served; *: any"),
        list("http-cors-origins", "ORIGINS", "", "web origins that may call; *: any"),
        text("idle-connection-timeout-seconds", "N", "120", "close an idle connection after"),
        text("max-connections-per-address", "N", "1024", "connections of one remote address"),
        text("max-connections-local", "N", "4096", "the same, from loopback or Unix sockets"),
        text("workers", "N", "auto", "signing threads; auto: one a core").short('w'),
    ]),
    ("TLS and access", &[
        path("tls-cert", "PEM", "serve over TLS with this certificate"),
        path("tls-key", "PEM", "its private key"),
        path("tls-keystore-file", "P12", "certificate and key as PKCS#12 instead"),
        path("tls-keystore-password-file", "FILE", "password of the PKCS#12 file"),
        path("tls-client-ca", "PEM", "serve only clients of this CA"),
        path("tls-known-clients", "FILE", "serve only these: name, SHA-256 print")
            .alias(&["tls-known-clients-file"]),
        switch("tls-allow-ca-clients", "", "Web3Signer's switch for --tls-client-ca"),
        switch("tls-allow-any-client", "", "ask no client for a certificate"),
        row("auth-token", Kind::Secret("TOKEN"), "", "needed on all routes but health"),
        path("auth-token-file", "FILE", "the same, from a file"),
    ]),
    ("Metrics and logs", &[
        switch("metrics-enabled", "true", "serve /metrics").eth2("false"),
        text("metrics-host", "HOST", "127.0.0.1", "address of the metrics"),
        text("metrics-port", "PORT", "8081", "their port").eth2("9001"),
        list("metrics-host-allowlist", "HOSTS", "localhost", "Host headers served"),
        text("logging", "LEVEL", "info", "least level logged, off to trace").alias(&["log-level"]).short('l'),
        text("logging-format", "FORMAT", "plain", "plain or json"),
        switch("access-logs-enabled", "false", "log every request"),
    ]),
    ("Keys", &[
        path("keystores-path", "DIR", "EIP-2335 keystores, NAME.json"),
        path("keystores-passwords-path", "DIR", "their passwords, NAME.txt"),
        path("keystores-password-file", "FILE", "one password for all of them"),
        list("keys", "DIRS", "", "keys in any client's or tool's layout"),
        path("key-config-path", "DIR", "Web3Signer's key files, *.yaml").alias(&["key-store-path"]),
        text("key-store-config-file-max-size", "N", "104857600", "bytes of the largest"),
        text("reload-timeout", "MINUTES", "30", "then a reload counts as failed"),
        text("interop-keys", "A..B", "", "interop keys A to B-1, for tests"),
        path("mnemonic-file", "FILE", "derive keys from these BIP-39 words"),
        path("mnemonic-passphrase-file", "FILE", "passphrase of the words"),
        text("key-range", "A..B", "0..1", "keys of the words, A to B-1"),
        path("key-cache", "FILE", "keep keys sealed for a fast restart"),
        text("decrypt-memory", "MIB", "auto", "memory for decryption"),
        text("expect-keys", "N", "", "not healthy with fewer keys"),
        switch("strict", "false", "end when a key fails to load"),
        switch("require-mlock", "false", "end when memory cannot be locked"),
        switch("allow-insecure-permissions", "false", "secrets may be open").eth2("true"),
    ]),
    ("Keymanager API", &[
        path("data-dir", "DIR", "imported keys, slashing protection").alias(&["data-path"]),
        switch("key-manager-api-enabled", "true", "serve its routes").eth2("false")
            .alias(&["enable-key-manager-api"]),
        path("keymanager-token-file", "FILE", "token; else DATA-DIR/api-token.txt"),
        switch("Xkey-manager-skip-keystore-storage", "false", "keep imports in memory only"),
    ]),
    ("Network and slashing protection", &[
        text("network", "NETWORK", "", "name or config.yaml; default: mainnet"),
        text("Xnetwork-altair-fork-epoch", "N", "", "override; so for each later fork"),
        text("Xnetwork-bellatrix-fork-epoch", "N", "", ""),
        text("Xnetwork-capella-fork-epoch", "N", "", ""),
        text("Xnetwork-deneb-fork-epoch", "N", "", ""),
        text("Xnetwork-electra-fork-epoch", "N", "", ""),
        text("Xnetwork-fulu-fork-epoch", "N", "", ""),
        text("Xnetwork-gloas-fork-epoch", "N", "", ""),
        switch("slashing-protection-enabled", "", "default: with a data directory"),
        text("slashing-protection-min-slot", "N", "", "a new key signs no block below"),
        text("slashing-protection-min-epoch", "N", "", "a new key signs no vote below"),
        switch("slashing-protection-db-ignore", "false", "pass over database options"),
    ]),
    ("General", &[
        path("config-file", "YAML", "options from a file, without dashes"),
        switch("help", "", "this text").short('h'),
        switch("version", "", "name and version").short('V'),
    ]),
];

/// Options of Web3Signer that do not act; a final `*` stands for any end.
#[rustfmt::skip]
const FOREIGN: &[(Fate, &[&str])] = &[
    (Fate::Ignored, &[
        "metrics-category", "metrics-categories", "metrics-push-*", "vertx-worker-pool-size",
        "Xworker-pool-size", "signer-load-*",
        "Xkey-store-parallel-processing-enabled",
        "slashing-protection-pruning-*", "slashing-protection-db-pool-configuration-file",
        "slashing-protection-db-health-check-*", "Xslashing-protection-db-connection-pool-enabled",
        "Xtrusted-setup", "swagger-ui-enabled",
    ]),
    (Fate::Database, &[
        "slashing-protection-db-url", "slashing-protection-db-username", "slashing-protection-db-password",
    ]),
    (Fate::RefusedWhenEnabled("proofs of validation are not served"), &["Xsigning-ext-enabled"]),
    (Fate::RefusedWhenEnabled("Commit-Boost's API is not served"), &["commit-boost-*", "proxy-keystores-*"]),
    (
        Fate::RefusedWhenEnabled("cloud vaults are not read; their agents write keystores to a directory"),
        &["azure-*", "aws-*", "gcp-*"],
    ),
];

/// What a name on the command line, in the environment or in a file means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning {
    /// One of our options.
    Option(&'static Row),
    /// An option of Web3Signer without a meaning here.
    Foreign(Fate),
}

/// All options that act.
pub(crate) fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.iter().flat_map(|(_, rows)| rows.iter())
}

/// The option of that canonical name.
pub(crate) fn named(name: &str) -> &'static Row {
    rows()
        .find(|row| row.name == name)
        .expect("the table holds the name")
}

/// Finds a long name, without dashes, in any case.
pub(crate) fn find(name: &str) -> Option<Meaning> {
    let row = rows().find(|row| row.names().any(|known| known.eq_ignore_ascii_case(name)));
    let foreign = || {
        FOREIGN
            .iter()
            .find(|(_, patterns)| patterns.iter().any(|pattern| matches(pattern, name)))
    };
    row.map(Meaning::Option)
        .or_else(|| foreign().map(|(fate, _)| Meaning::Foreign(*fate)))
}

/// The known names that are closest to `name`, joined by `or`, unless they are far off.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut distances: Vec<_> = known.map(|known| (distance(name, known), known)).collect();
    distances.sort_unstable();
    let &(least, _) = distances
        .first()
        .filter(|(least, _)| *least <= (name.len() / 3).max(2))?;
    let nearest: Vec<_> = distances
        .iter()
        .take_while(|(distance, _)| *distance == least)
        .collect();
    Some(
        nearest
            .iter()
            .map(|(_, name)| *name)
            .collect::<Vec<_>>()
            .join(" or "),
    )
}

/// The option that is closest to `name`.
pub(crate) fn nearest_row(name: &str) -> Option<String> {
    nearest(name, rows().flat_map(Row::names))
}

/// The option of that letter.
pub(crate) fn short(letter: char) -> Option<&'static Row> {
    rows().find(|row| row.short == Some(letter))
}

impl Row {
    /// The canonical name, then the aliases.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    const fn short(self, short: char) -> Self {
        Self {
            short: Some(short),
            ..self
        }
    }

    const fn eth2(self, default: &'static str) -> Self {
        Self {
            eth2_default: Some(default),
            ..self
        }
    }
}

type Text = &'static str;

const fn switch(name: Text, default: Text, help: Text) -> Row {
    row(name, Kind::Switch, default, help)
}

const fn text(name: Text, word: Text, default: Text, help: Text) -> Row {
    row(name, Kind::Value(word), default, help)
}

const fn path(name: Text, word: Text, help: Text) -> Row {
    row(name, Kind::Path(word), "", help)
}

const fn list(name: Text, word: Text, default: Text, help: Text) -> Row {
    row(name, Kind::List(word), default, help)
}

const fn row(name: Text, kind: Kind, default: Text, help: Text) -> Row {
    Row {
        name,
        aliases: &[],
        short: None,
        kind,
        default,
        eth2_default: None,
        help,
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    let matches_start = |start: &str| {
        name.get(..start.len())
            .is_some_and(|n| n.eq_ignore_ascii_case(start))
    };
    pattern
        .strip_suffix('*')
        .map_or(pattern.eq_ignore_ascii_case(name), matches_start)
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
    fn no_name_has_two_meanings() {
        let mut names: Vec<_> = rows().flat_map(Row::names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for name in names {
            assert!(
                FOREIGN
                    .iter()
                    .flat_map(|(_, patterns)| *patterns)
                    .all(|pattern| !matches(pattern, name)),
                "{name}"
            );
        }
    }
}
