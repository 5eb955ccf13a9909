//! Raw values to checked settings: every path, permission and limit, before the first thread.
//!
//! Nothing that runs later meets a bad path, address or number; contradictions between options are
//! settled here, and so is who may do what: one value each, chosen once.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

use crate::cli::TokenSource;
use crate::cli::error::{StartError, exit};
use crate::cli::layers::{Dialect, Values};
use crate::consensus::network::{Fork, Networks};
use crate::consensus::primitives::{Epoch, Slot};
use crate::keys::keyring_state::KeyringSettings;
use crate::keys::sources::{KeystoreDirectory, MnemonicFiles, PasswordFiles, Sources};
use crate::server::CONNECTIONS_MAX;
use crate::server::tls::{TlsFiles, TlsIdentity};
use crate::slashing::{self, ChainClock};

/// The service, fully checked; `cli::table` says what each option means.
pub(crate) struct Settings {
    pub(crate) http: ListenerSettings,
    pub(crate) unix: Option<PathBuf>,
    /// Web origins that may call; `*` stands for any.
    pub(crate) cors_origins: Vec<String>,
    /// A connection idle for so long is closed.
    pub(crate) idle_timeout: Duration,
    /// Connections from one remote address.
    pub(crate) connections_per_address: usize,
    /// Connections from one loopback address, and over the Unix socket.
    pub(crate) connections_local: usize,
    /// TLS of the signing listener; without it, plain HTTP.
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) metrics: Option<ListenerSettings>,
    /// The token that all routes but health ask for.
    pub(crate) auth_token: Option<TokenSource>,
    pub(crate) keymanager: Keymanager,
    /// Lines below it are not logged.
    pub(crate) log_level: LevelFilter,
    pub(crate) log_json: bool,
    pub(crate) access_log: bool,
    /// Where imported keys and slashing protection are kept; [`Settings::make_data_dir`] makes it.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) sources: Sources,
    pub(crate) loading: KeyringSettings,
    pub(crate) strict: bool,
    pub(crate) expect_keys: Option<usize>,
    pub(crate) require_mlock: bool,
    /// Signing threads; `None`: one a core.
    pub(crate) workers: Option<usize>,
    pub(crate) networks: Networks,
    /// Slashing protection; `None` signs whatever is requested.
    pub(crate) slashing: Option<slashing::ProtectionSettings>,
    /// Lines for the log: what was ignored, and what may surprise.
    pub(crate) notices: Vec<String>,
}

/// A TCP listener, and whom it serves.
pub(crate) struct ListenerSettings {
    /// Address and port; port 0 lets the system choose.
    pub(crate) address: SocketAddr,
    /// Host headers that are served; `None` for any.
    pub(crate) hosts: Option<Vec<String>>,
}

/// Who may use the Keymanager routes.
#[derive(Clone)]
pub(crate) enum Keymanager {
    /// Nobody: the routes do not exist.
    Off,
    /// Everybody: a loopback listener, and nothing is kept.
    Open,
    /// Who has the token that all routes but health ask for.
    AuthToken,
    /// Who has this token, or the one that all routes ask for.
    Token(TokenSource),
    /// Who has the token of this file, which is made when it does not exist.
    OwnTokenFile(PathBuf),
    /// Nobody: the listener is open to other machines, and there is no token.
    Closed,
}

/// A day: nobody waits longer.
const TIMEOUT_SECONDS_MAX: u64 = 86_400;

/// Where imported keystores are, in the data directory.
const IMPORTS_DIR: &str = "keystores";

/// Where the token of the Keymanager routes is made, in the data directory.
const TOKEN_FILE: &str = "api-token.txt";

impl Settings {
    /// Checks all values, and the files that they name.
    pub(crate) fn check(values: &Values) -> Result<Self, StartError> {
        let http = listener(
            values,
            "http-listen-host",
            "http-listen-port",
            "http-host-allowlist",
        )?;
        let (data_dir, networks) = (data_dir(values)?, networks(values)?);
        let given = values.token("auth-token")?;
        let from_file = values.token_file("auth-token-file")?;
        if given.is_some() && from_file.is_some() {
            return conflict("--auth-token and --auth-token-file exclude each other");
        }
        let auth_token = given.or(from_file);
        let slashing = slashing(values, data_dir.as_deref(), &networks)?;
        let mut notices = values.notices.clone();
        if let Some(slashing) = &slashing {
            notices.extend(slashing.floor_notice());
        }
        let idle = values.number("idle-connection-timeout-seconds", 1..=TIMEOUT_SECONDS_MAX)?;
        Ok(Self {
            unix: values.path("listen-unix"),
            cors_origins: values.list("http-cors-origins"),
            idle_timeout: Duration::from_secs(idle.unwrap_or(TIMEOUT_SECONDS_MAX)),
            connections_per_address: connections(values, "max-connections-per-address")?,
            connections_local: connections(values, "max-connections-local")?,
            tls: tls(values)?,
            metrics: metrics(values, &http)?,
            keymanager: keymanager(values, auth_token.is_some(), data_dir.as_deref(), &http)?,
            auth_token,
            log_level: log_level(values)?,
            log_json: log_json(values)?,
            access_log: values.on("access-logs-enabled")?,
            sources: sources(values, data_dir.as_deref())?,
            loading: loading(values)?,
            strict: values.on("strict")?,
            expect_keys: values.count("expect-keys", 0..=u64::from(u32::MAX))?,
            require_mlock: values.on("require-mlock")?,
            workers: values.count("workers", 1..=1024)?,
            slashing,
            networks,
            notices,
            http,
            data_dir,
        })
    }
}

/// The allowlist holds the listen host too; `localhost` stands for the loopback addresses as well.
fn listener(
    values: &Values,
    host: &str,
    port: &str,
    allowlist: &str,
) -> Result<ListenerSettings, StartError> {
    let address = values.address(host, port)?;
    let mut hosts = values.list(allowlist);
    if hosts.iter().any(|host| host == "*" || host == "all") {
        return Ok(ListenerSettings {
            address,
            hosts: None,
        });
    }
    if hosts.iter().any(|host| host == "localhost") {
        hosts.extend(["127.0.0.1".to_owned(), "[::1]".to_owned()]);
    }
    hosts.extend(values.text(host).filter(|host| !hosts.contains(host)));
    for host in &mut hosts {
        // In a Host header an IPv6 address stands in brackets.
        if host.parse::<Ipv6Addr>().is_ok() {
            *host = format!("[{host}]");
        }
    }
    Ok(ListenerSettings {
        address,
        hosts: Some(hosts),
    })
}

fn connections(values: &Values, option: &str) -> Result<usize, StartError> {
    let number = values.count(option, 1..=CONNECTIONS_MAX as u64)?;
    Ok(number.unwrap_or(CONNECTIONS_MAX))
}

fn metrics(
    values: &Values,
    http: &ListenerSettings,
) -> Result<Option<ListenerSettings>, StartError> {
    if !values.on("metrics-enabled")? {
        return Ok(None);
    }
    let metrics = listener(
        values,
        "metrics-host",
        "metrics-port",
        "metrics-host-allowlist",
    )?;
    match metrics.address == http.address && http.address.port() != 0 {
        true => Err(values.wrong("metrics-port", "another port than --http-listen-port")),
        false => Ok(Some(metrics)),
    }
}

/// The files of TLS, which exist; nothing without TLS.
pub(crate) fn tls(values: &Values) -> Result<Option<TlsFiles>, StartError> {
    let (cert, key) = (values.file("tls-cert")?, values.file("tls-key")?);
    let (store, password) = (
        values.file("tls-keystore-file")?,
        values.file("tls-keystore-password-file")?,
    );
    let (client_ca, known_clients) = (
        values.file("tls-client-ca")?,
        values.file("tls-known-clients")?,
    );
    let any = values.on("tls-allow-any-client")?;
    let restricted = client_ca.is_some() || known_clients.is_some();
    let identity = match (cert, key, store, password) {
        (None, None, None, None) if !restricted => return Ok(None),
        (None, None, None, None) => {
            return conflict("client certificates need --tls-cert and --tls-key");
        }
        (Some(cert), Some(key), None, None) => TlsIdentity::Pem(cert, key),
        (None, None, Some(_), Some(_)) if !restricted && !any => {
            return conflict(
                "--tls-keystore-file needs --tls-known-clients, --tls-client-ca or --tls-allow-any-client",
            );
        }
        (None, None, Some(store), Some(password)) => TlsIdentity::Pkcs12(store, password),
        (_, _, None, None) => return conflict("--tls-cert and --tls-key go together"),
        (None, None, _, _) => {
            return conflict("--tls-keystore-file and --tls-keystore-password-file go together");
        }
        (_, _, _, _) => return conflict("--tls-cert and --tls-keystore-file exclude each other"),
    };
    if any && restricted {
        return conflict("--tls-allow-any-client excludes --tls-client-ca and --tls-known-clients");
    }
    if values.on("tls-allow-ca-clients")? && client_ca.is_none() {
        return conflict(
            "--tls-allow-ca-clients needs --tls-client-ca: the system's trust store is not read",
        );
    }
    let allow_insecure_permissions = values.on("allow-insecure-permissions")?;
    Ok(Some(TlsFiles {
        identity,
        client_ca,
        known_clients,
        allow_insecure_permissions,
    }))
}

fn keymanager(
    values: &Values,
    has_auth_token: bool,
    data_dir: Option<&Path>,
    http: &ListenerSettings,
) -> Result<Keymanager, StartError> {
    if !values.on("key-manager-api-enabled")? {
        return Ok(Keymanager::Off);
    }
    if let Some(token) = values.token_file("keymanager-token-file")? {
        return Ok(Keymanager::Token(token));
    }
    if has_auth_token {
        return Ok(Keymanager::AuthToken);
    }
    if let Some(directory) = data_dir {
        return Ok(Keymanager::OwnTokenFile(directory.join(TOKEN_FILE)));
    }
    if http.address.ip().is_loopback() {
        Ok(Keymanager::Open)
    } else {
        Ok(Keymanager::Closed)
    }
}

/// The names of Web3Signer (log4j), of py3signer (Python) and of our own log, in any case.
fn log_level(values: &Values) -> Result<LevelFilter, StartError> {
    Ok(
        match values
            .text("logging")
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "off" => LevelFilter::Off,
            "fatal" | "critical" | "error" => LevelFilter::Error,
            "warn" | "warning" => LevelFilter::Warn,
            "info" => LevelFilter::Info,
            "debug" => LevelFilter::Debug,
            "trace" | "all" => LevelFilter::Trace,
            _ => return Err(values.wrong("logging", "off, error, warn, info, debug, trace or all")),
        },
    )
}

fn log_json(values: &Values) -> Result<bool, StartError> {
    match values
        .text("logging-format")
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "plain" | "text" => Ok(false),
        "json" | "ecs" | "gcp" | "logstash" | "gelf" => Ok(true),
        _ => Err(values.wrong("logging-format", "plain or json")),
    }
}

/// The directory that outlives us. Web3Signer's form keeps imported keys beside the key files, and
/// makes a missing directory; in our own form it must exist.
pub(crate) fn data_dir(values: &Values) -> Result<Option<PathBuf>, StartError> {
    let web3signer = values.dialect == Dialect::Web3signer;
    let Some(path) = values.path("data-dir") else {
        let imports = web3signer && values.on("key-manager-api-enabled")?;
        return Ok(values.path("key-config-path").filter(|_| imports));
    };
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if path.is_dir() || (web3signer && !path.exists() && parent.is_dir()) {
        return Ok(Some(path));
    }
    Err(StartError::new(
        exit::NO_INPUT,
        format!("--data-dir: {} is no directory", path.display()),
    )
    .hint(format!("run `mkdir -m 700 {}`", path.display())))
}

fn sources(values: &Values, data_dir: Option<&Path>) -> Result<Sources, StartError> {
    let keystores = values.directory("keystores-path")?;
    let passwords = values.directory("keystores-passwords-path")?;
    let password_file = values.file("keystores-password-file")?;
    let keys_dirs = values.directories("keys")?;
    let keystore_directories = match (keystores, passwords, password_file.clone()) {
        (_, Some(_), Some(_)) => {
            return conflict(
                "--keystores-passwords-path and --keystores-password-file exclude each other",
            );
        }
        (Some(keystores), Some(passwords), None) => {
            vec![KeystoreDirectory {
                keystores,
                passwords: PasswordFiles::Dir(passwords),
            }]
        }
        (Some(keystores), None, Some(file)) => vec![KeystoreDirectory {
            keystores,
            passwords: PasswordFiles::File(file),
        }],
        (None, None, None) => Vec::new(),
        (None, None, Some(_)) if !keys_dirs.is_empty() => Vec::new(),
        (_, _, _) => {
            let needed = "--keystores-path goes with --keystores-passwords-path or --keystores-password-file";
            return conflict(needed);
        }
    };
    Ok(Sources {
        keystore_directories,
        keys_dirs,
        keys_password_file: password_file,
        key_config_path: values.directory("key-config-path")?,
        key_config_bytes_max: values
            .count("key-store-config-file-max-size", 1..=u64::from(u32::MAX))?,
        interop: values.range("interop-keys")?,
        mnemonic: mnemonic(values)?,
        data_dir: data_dir.map(Path::to_owned),
        allow_insecure_permissions: values.on("allow-insecure-permissions")?,
    })
}

fn mnemonic(values: &Values) -> Result<Option<MnemonicFiles>, StartError> {
    let passphrase_file = values.file("mnemonic-passphrase-file")?;
    match (values.file("mnemonic-file")?, values.range("key-range")?) {
        (Some(file), Some(range)) => Ok(Some(MnemonicFiles {
            file,
            passphrase_file,
            range,
        })),
        (None, _) if passphrase_file.is_some() => {
            conflict("--mnemonic-passphrase-file needs --mnemonic-file")
        }
        (_, _) => Ok(None),
    }
}

fn loading(values: &Values) -> Result<KeyringSettings, StartError> {
    const MIB: u64 = 1 << 20;
    Ok(KeyringSettings {
        decrypt_memory_bytes: values
            .number("decrypt-memory", 1..=u64::MAX / MIB)?
            .map(|mib| mib * MIB),
        key_cache: values.path("key-cache"),
        imports_in_memory: values.on("Xkey-manager-skip-keystore-storage")?,
        reload_timeout: Duration::from_secs(
            60 * values.number("reload-timeout", 1..=1440)?.unwrap_or(30),
        ),
    })
}

/// The chosen network; unset it is mainnet, and whatever built-in network a request belongs to.
pub(crate) fn networks(values: &Values) -> Result<Networks, StartError> {
    let mut networks = match values.text("network") {
        None => Networks::default(),
        Some(name) => match Networks::named(&name) {
            Some(networks) => networks,
            None => network_of_file(values, &name)?,
        },
    };
    for fork in &Fork::ALL[1..Fork::ALL.len() - 1] {
        let option = format!("Xnetwork-{}-fork-epoch", fork.name().to_ascii_lowercase());
        let Some(epoch) = values.number(&option, 0..=u64::MAX)? else {
            continue;
        };
        if !networks.set_fork_epoch(*fork, Epoch(epoch)) {
            return Err(values.wrong(&option, &format!("a fork that {} knows", networks.name())));
        }
    }
    Ok(networks)
}

fn network_of_file(values: &Values, name: &str) -> Result<Networks, StartError> {
    if name.contains("://") {
        return Err(values
            .wrong("network", "a name or the path of a config.yaml")
            .hint("nothing is fetched: download the file and give its path"));
    }
    let path = Path::new(name);
    if !path.exists() {
        let names: Vec<_> = Networks::names().collect();
        return Err(values
            .wrong("network", "a name or the path of a config.yaml")
            .hint(format!("the names are {}", names.join(", "))));
    }
    let text = fs::read_to_string(path).map_err(|error| StartError::unreadable(path, &error))?;
    Networks::from_yaml(&text)
        .map_err(|error| StartError::new(exit::CONFIG, format!("{name}: {error}")))
}

fn slashing(
    values: &Values,
    data_dir: Option<&Path>,
    networks: &Networks,
) -> Result<Option<slashing::ProtectionSettings>, StartError> {
    let enabled = values.switch("slashing-protection-enabled")?;
    let min_slot = values.number("slashing-protection-min-slot", 0..=u64::MAX)?;
    let min_epoch = values.number("slashing-protection-min-epoch", 0..=u64::MAX)?;
    let replaces_lost_store = values.on("slashing-protection-new-store")?;
    match (enabled, data_dir) {
        (Some(true) | None, Some(directory)) => Ok(Some(slashing::ProtectionSettings {
            directory: directory.to_owned(),
            min_slot: min_slot.map(Slot),
            min_epoch: min_epoch.map(Epoch),
            // Only a network that was chosen by name tells which chains are not meant.
            chain: networks
                .genesis_validators_root()
                .filter(|_| values.text("network").is_some()),
            clock: networks.slot_times().map(ChainClock::of_this_host),
            has_keys: has_keys(values, directory),
            replaces_lost_store,
        })),
        (Some(true), None) => {
            conflict("--slashing-protection-enabled needs --data-dir for its record")
        }
        (Some(false) | None, _) if min_slot.or(min_epoch).is_some() => {
            conflict("--slashing-protection-min-slot and -epoch need protection, which is off")
        }
        (Some(false) | None, _) if replaces_lost_store => {
            conflict("--slashing-protection-new-store needs protection, which is off")
        }
        (Some(false) | None, _) => Ok(None),
    }
}

/// Whether any source may hold a key: one that has signed before, without protection.
fn has_keys(values: &Values, data_dir: &Path) -> bool {
    let mut directories = values.list("keys");
    directories.extend(values.text("keystores-path"));
    directories.extend(values.text("key-config-path"));
    let mut directories: Vec<_> = directories.into_iter().map(PathBuf::from).collect();
    directories.push(data_dir.join(IMPORTS_DIR));
    let is_filled = |path: &PathBuf| {
        let mut entries = fs::read_dir(path).into_iter().flatten();
        entries.next().is_some()
    };
    let derived = ["interop-keys", "mnemonic-file"];
    directories.iter().any(is_filled) || derived.iter().any(|name| values.text(name).is_some())
}

fn conflict<T>(message: &str) -> Result<T, StartError> {
    Err(StartError::new(exit::CONFIG, message))
}
