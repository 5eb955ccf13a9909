//! Raw values to checked settings: every path, permission and limit, before the first thread.
//!
//! Nothing that runs later meets a bad path, address or number; contradictions between options are
//! settled here, and so is who may do what: one value each, chosen once.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;
use zeroize::Zeroizing;

use crate::cli::layers::{Dialect, Values};
use crate::cli::{Usage, exit};
use crate::keys::sources::{self, Mnemonic, Pair, Passwords, Sources};

/// The service, fully checked.
pub struct Settings {
    /// Which program the command line was written for.
    pub dialect: Dialect,
    /// The signing listener.
    pub http: Http,
    /// The metrics listener, unless it is off.
    pub metrics: Option<Metrics>,
    /// TLS of the signing listener; without it, plain HTTP.
    pub tls: Option<Tls>,
    /// The token that all routes but health ask for.
    pub auth_token: Option<Zeroizing<String>>,
    /// Who may use the Keymanager routes.
    pub keymanager: Keymanager,
    /// Imported keys are kept in memory only.
    pub skip_keystore_storage: bool,
    /// What is logged, and how.
    pub log: Log,
    /// Where imported keys and slashing protection are kept; made by [`Settings::make_data_dir`].
    pub data_dir: Option<PathBuf>,
    /// Where the keys come from.
    pub sources: Sources,
    /// How they are loaded.
    pub loading: Loading,
    /// Which chain.
    pub network: Network,
    /// Slashing protection; `None` signs whatever is requested.
    pub slashing: Option<Slashing>,
    /// Signing threads; `None`: one a core.
    pub workers: Option<usize>,
    /// With fewer keys the service says that it is not healthy.
    pub expect_keys: Option<usize>,
    /// Unlockable memory ends the start.
    pub require_mlock: bool,
    /// Lines for the log: what was ignored, and what is worth a second look.
    pub notices: Vec<String>,
}

/// The signing listener.
pub struct Http {
    /// Address and port; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// A Unix socket beside it.
    pub unix: Option<PathBuf>,
    /// Host headers that are served; `None` for any.
    pub hosts: Option<Vec<String>>,
    /// Web origins that may call; `*` stands for any.
    pub cors_origins: Vec<String>,
    /// A connection idle for so long is closed.
    pub idle_timeout: Duration,
    /// Every request is logged.
    pub access_log: bool,
}

/// The metrics listener.
pub struct Metrics {
    /// Address and port.
    pub listen: SocketAddr,
    /// Host headers that are served; `None` for any.
    pub hosts: Option<Vec<String>>,
}

/// TLS of the signing listener.
pub struct Tls {
    /// Who we are.
    pub identity: Identity,
    /// Clients with a certificate of this CA are served.
    pub client_ca: Option<PathBuf>,
    /// Clients with these fingerprints are served. With neither, everybody is.
    pub known_clients: Option<PathBuf>,
}

/// Certificate and key.
pub enum Identity {
    /// Two PEM files.
    Pem {
        /// The chain, our certificate first.
        certificates: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// One PKCS#12 file.
    Pkcs12 {
        /// The file.
        file: PathBuf,
        /// A file whose first line is its password.
        password_file: PathBuf,
    },
}

/// Who may use the Keymanager routes.
pub enum Keymanager {
    /// Nobody: the routes do not exist.
    Off,
    /// Everybody: a loopback listener, and nothing is kept.
    Open,
    /// Who has this token.
    Token(Zeroizing<String>),
    /// Who has the token of this file, which is made when it does not exist.
    TokenFile(PathBuf),
    /// Nobody: the listener is open to other machines, and there is no token.
    Closed,
}

/// What is logged, and how.
pub struct Log {
    /// Lines below it are dropped.
    pub level: LevelFilter,
    /// One JSON object a line, instead of text.
    pub json: bool,
}

/// How keys are loaded.
pub struct Loading {
    /// Where they are kept sealed for the next start.
    pub key_cache: Option<PathBuf>,
    /// Memory for decryption, in bytes; `None`: what the machine has.
    pub memory_bytes: Option<u64>,
    /// A key that fails ends the start.
    pub strict: bool,
    /// A reload that takes longer is given up.
    pub reload_timeout: Duration,
}

/// Which chain.
pub struct Network {
    /// A name, or the path of a `config.yaml`.
    pub name: String,
    /// Fork epochs that override it, by fork name.
    pub fork_epochs: Vec<(&'static str, u64)>,
}

/// Slashing protection.
pub struct Slashing {
    /// The directory of the store.
    pub directory: PathBuf,
    /// A key that was never seen signs no block below this slot.
    pub min_slot: Option<u64>,
    /// A key that was never seen signs no vote below this epoch.
    pub min_epoch: Option<u64>,
}

/// Forks whose epoch can be overridden.
const FORKS: [&str; 7] = ["altair", "bellatrix", "capella", "deneb", "electra", "fulu", "gloas"];

/// A day: nobody waits longer.
const TIMEOUT_SECONDS_MAX: u64 = 86_400;

impl Settings {
    /// Checks all values, and the files that they name.
    ///
    /// # Errors
    /// The first thing that is wrong, with the option and where it came from.
    pub fn check(values: &Values) -> Result<Self, Usage> {
        let http = http(values)?;
        let data_dir = data_dir(values)?;
        let auth_token = auth_token(values)?;
        let skip_keystore_storage = values.switch("Xkey-manager-skip-keystore-storage")? == Some(true);
        Ok(Self {
            dialect: values.dialect,
            metrics: metrics(values)?,
            tls: tls(values)?,
            keymanager: keymanager(values, &auth_token, data_dir.as_deref(), &http)?,
            auth_token,
            skip_keystore_storage,
            log: logging(values)?,
            sources: sources(values, data_dir.as_deref())?,
            loading: loading(values)?,
            network: network(values)?,
            slashing: slashing(values, data_dir.as_deref())?,
            workers: count(values, "workers", 1..=1024)?,
            expect_keys: count(values, "expect-keys", 0..=u64::from(u32::MAX))?,
            require_mlock: values.switch("require-mlock")? == Some(true),
            notices: values.notices.clone(),
            http,
            data_dir,
        })
    }

    /// Makes the data directory, readable by nobody else, where only its parent exists.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make_data_dir(&self) -> Result<(), Usage> {
        use std::os::unix::fs::DirBuilderExt;
        let Some(path) = self.data_dir.as_ref().filter(|path| !path.exists()) else { return Ok(()) };
        std::fs::DirBuilder::new().mode(0o700).create(path).map_err(|error| {
            Usage::new(exit::CANNOT_CREATE, format!("--data-dir: {}: {error}", path.display()))
        })
    }
}

/// The token in this file, which is made, with a random one, when it does not exist.
///
/// # Errors
/// When it cannot be read or made, or others can read it.
pub fn token_of(path: &Path) -> Result<Zeroizing<String>, Usage> {
    if !path.exists() {
        make_token(path)
            .map_err(|error| Usage::new(exit::CANNOT_CREATE, format!("{}: {error}", path.display())))?;
    }
    let text = sources::read_private(path, false)
        .map_err(|error| Usage::new(exit::PERMISSION, error.to_string()))?;
    match text.trim() {
        "" => {
            Err(Usage::new(exit::CONFIG, format!("{}: expected a token, the file is empty", path.display())))
        }
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

/// 32 random bytes as hex, readable by us alone, and whole or not there at all.
fn make_token(path: &Path) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut bytes = Zeroizing::new([0; 32]);
    let random = ring::rand::SystemRandom::new();
    ring::rand::SecureRandom::fill(&random, &mut *bytes)
        .map_err(|_| io::Error::other("no random numbers"))?;
    let token = Zeroizing::new(const_hex::encode(*bytes));
    let beside = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    writeln!(file, "{}", *token)?;
    file.sync_all()?;
    std::fs::rename(beside, path)
}

fn http(values: &Values) -> Result<Http, Usage> {
    let idle = values.number("idle-connection-timeout-seconds", 1..=TIMEOUT_SECONDS_MAX)?;
    Ok(Http {
        listen: values.address("http-listen-host", "http-listen-port")?,
        unix: values.path("listen-unix"),
        hosts: hosts(values, "http-host-allowlist", "http-listen-host"),
        cors_origins: values.list("http-cors-origins"),
        idle_timeout: Duration::from_secs(idle.unwrap_or(TIMEOUT_SECONDS_MAX)),
        access_log: values.switch("access-logs-enabled")? == Some(true),
    })
}

fn metrics(values: &Values) -> Result<Option<Metrics>, Usage> {
    if values.switch("metrics-enabled")? != Some(true) {
        return Ok(None);
    }
    let listen = values.address("metrics-host", "metrics-port")?;
    let signing = values.address("http-listen-host", "http-listen-port")?;
    if listen == signing && listen.port() != 0 {
        return Err(values.wrong("metrics-port", "another port than --http-listen-port"));
    }
    Ok(Some(Metrics { listen, hosts: hosts(values, "metrics-host-allowlist", "metrics-host") }))
}

/// The allowlist and the listen host; `None` where any host will do. The name `localhost` stands for
/// the loopback addresses too.
fn hosts(values: &Values, allowlist: &str, listen_host: &str) -> Option<Vec<String>> {
    let mut hosts = values.list(allowlist);
    if hosts.iter().any(|host| host == "*" || host == "all") {
        return None;
    }
    if hosts.iter().any(|host| host == "localhost") {
        hosts.extend(["127.0.0.1".to_owned(), "[::1]".to_owned()]);
    }
    hosts.extend(values.text(listen_host).filter(|host| !hosts.contains(host)));
    Some(hosts)
}

fn tls(values: &Values) -> Result<Option<Tls>, Usage> {
    let pem = (values.file("tls-cert")?, values.secret_file("tls-key")?);
    let pkcs12 = (values.file("tls-keystore-file")?, values.secret_file("tls-keystore-password-file")?);
    let client_ca = values.file("tls-client-ca")?;
    let known_clients = values.file("tls-known-clients")?;
    let pair = |message: &str| Err(Usage::new(exit::CONFIG, message.to_owned()));
    let identity = match (pem, pkcs12) {
        ((None, None), (None, None)) if client_ca.is_none() && known_clients.is_none() => return Ok(None),
        ((None, None), (None, None)) => return pair("client certificates need --tls-cert and --tls-key"),
        ((Some(certificates), Some(key)), (None, None)) => Identity::Pem { certificates, key },
        ((None, None), (Some(file), Some(password_file))) => Identity::Pkcs12 { file, password_file },
        ((Some(_), None) | (None, Some(_)), (None, None)) => {
            return pair("--tls-cert and --tls-key go together");
        }
        ((None, None), _) => return pair("--tls-keystore-file and --tls-keystore-password-file go together"),
        _ => return pair("--tls-cert and --tls-keystore-file exclude each other"),
    };
    let any = values.switch("tls-allow-any-client")? == Some(true);
    if any && (client_ca.is_some() || known_clients.is_some()) {
        return pair("--tls-allow-any-client excludes --tls-client-ca and --tls-known-clients");
    }
    if values.switch("tls-allow-ca-clients")? == Some(true) && client_ca.is_none() {
        return Err(Usage::new(exit::CONFIG, "--tls-allow-ca-clients: which CA?".to_owned()).hint(
            "name its certificate with --tls-client-ca: there is no trust store of the system in here",
        ));
    }
    if matches!(identity, Identity::Pkcs12 { .. }) && !any && client_ca.is_none() && known_clients.is_none() {
        return pair(
            "--tls-keystore-file needs --tls-known-clients-file, --tls-client-ca or --tls-allow-any-client",
        );
    }
    Ok(Some(Tls { identity, client_ca, known_clients }))
}

fn auth_token(values: &Values) -> Result<Option<Zeroizing<String>>, Usage> {
    let token = values.text("auth-token").map(Zeroizing::new);
    let filed = values.secret("auth-token-file")?;
    match token.is_some() && filed.is_some() {
        true => {
            Err(Usage::new(exit::CONFIG, "--auth-token and --auth-token-file exclude each other".to_owned()))
        }
        false => Ok(token.or(filed)),
    }
}

fn keymanager(
    values: &Values,
    auth_token: &Option<Zeroizing<String>>,
    data_dir: Option<&Path>,
    http: &Http,
) -> Result<Keymanager, Usage> {
    if values.switch("key-manager-api-enabled")? != Some(true) {
        return Ok(Keymanager::Off);
    }
    Ok(match (values.secret("keymanager-token-file")?, auth_token, data_dir) {
        (Some(token), _, _) => Keymanager::Token(token),
        (None, Some(token), _) => Keymanager::Token(token.clone()),
        (None, None, Some(directory)) => Keymanager::TokenFile(directory.join("api-token.txt")),
        (None, None, None) if http.listen.ip().is_loopback() => Keymanager::Open,
        (None, None, None) => Keymanager::Closed,
    })
}

fn logging(values: &Values) -> Result<Log, Usage> {
    // The names of Web3Signer (log4j), of py3signer (Python) and of `log`, in any case.
    let level = match values.text("logging").unwrap_or_default().to_ascii_lowercase().as_str() {
        "off" => LevelFilter::Off,
        "fatal" | "critical" | "error" => LevelFilter::Error,
        "warn" | "warning" => LevelFilter::Warn,
        "info" => LevelFilter::Info,
        "debug" => LevelFilter::Debug,
        "trace" | "all" => LevelFilter::Trace,
        _ => return Err(values.wrong("logging", "off, error, warn, info, debug, trace or all")),
    };
    let json = match values.text("logging-format").unwrap_or_default().to_ascii_lowercase().as_str() {
        "plain" | "text" => false,
        "json" | "ecs" | "gcp" | "logstash" | "gelf" => true,
        _ => return Err(values.wrong("logging-format", "plain or json")),
    };
    Ok(Log { level, json })
}

/// The directory that outlives us. Web3Signer's form keeps imported keys beside the key files and
/// makes a missing directory; in our own form it must exist.
fn data_dir(values: &Values) -> Result<Option<PathBuf>, Usage> {
    let web3signer = values.dialect == Dialect::Web3signer;
    let Some(path) = values.path("data-dir") else {
        let imports = values.switch("key-manager-api-enabled")? == Some(true);
        return Ok(values.path("key-config-path").filter(|_| web3signer && imports));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.is_dir() || (web3signer && !path.exists() && parent.is_dir()) {
        return Ok(Some(path));
    }
    Err(Usage::new(exit::NO_INPUT, format!("--data-dir: {} is no directory", path.display()))
        .hint(format!("run `mkdir -m 700 {}`", path.display())))
}

fn sources(values: &Values, data_dir: Option<&Path>) -> Result<Sources, Usage> {
    let passwords =
        match (values.directory("keystores-passwords-path")?, values.file("keystores-password-file")?) {
            (Some(directory), None) => Some(Passwords::Dir(directory)),
            (None, Some(file)) => Some(Passwords::File(file)),
            (None, None) => None,
            (Some(_), Some(_)) => {
                let both = "--keystores-passwords-path and --keystores-password-file exclude each other";
                return Err(Usage::new(exit::CONFIG, both.to_owned()));
            }
        };
    let pairs = match (values.directory("keystores-path")?, passwords) {
        (Some(keystores), Some(passwords)) => vec![Pair { keystores, passwords }],
        (None, None) => Vec::new(),
        (keystores, _) => {
            let present = if keystores.is_some() { "--keystores-path" } else { "a password option" };
            return Err(Usage::new(exit::CONFIG, format!("{present} stands alone"))
                .hint("--keystores-path goes with --keystores-passwords-path or --keystores-password-file"));
        }
    };
    Ok(Sources {
        pairs,
        keys_dirs: values.directories("keys")?,
        keys_password_file: None,
        key_config_path: values.directory("key-config-path")?,
        interop: values.range("interop-keys")?,
        mnemonic: mnemonic(values)?,
        data_dir: data_dir.map(Path::to_owned),
        allow_insecure_permissions: values.switch("allow-insecure-permissions")? == Some(true),
    })
}

fn mnemonic(values: &Values) -> Result<Option<Mnemonic>, Usage> {
    let passphrase_file = values.secret_file("mnemonic-passphrase-file")?;
    let range = values.range("key-range")?;
    Ok(match (values.secret_file("mnemonic-file")?, range) {
        (Some(file), Some(range)) => Some(Mnemonic { file, passphrase_file, range }),
        _ if passphrase_file.is_some() => {
            return Err(Usage::new(
                exit::CONFIG,
                "--mnemonic-passphrase-file without --mnemonic-file".to_owned(),
            ));
        }
        _ => None,
    })
}

fn loading(values: &Values) -> Result<Loading, Usage> {
    const MIB: u64 = 1 << 20;
    let minutes = values.number("reload-timeout", 1..=TIMEOUT_SECONDS_MAX / 60)?;
    Ok(Loading {
        key_cache: values.path("key-cache"),
        memory_bytes: values.number("decrypt-memory", 1..=u64::MAX / MIB)?.map(|mib| mib * MIB),
        strict: values.switch("strict")? == Some(true),
        reload_timeout: Duration::from_secs(60 * minutes.unwrap_or(TIMEOUT_SECONDS_MAX / 60)),
    })
}

fn network(values: &Values) -> Result<Network, Usage> {
    let name = values.text("network").unwrap_or_default();
    if name.contains("://") {
        return Err(values
            .wrong("network", "a name or the path of a config.yaml")
            .hint("nothing is fetched from the network: download the file and give its path"));
    }
    let mut fork_epochs = Vec::new();
    for fork in FORKS {
        let epoch = values.number(&format!("Xnetwork-{fork}-fork-epoch"), 0..=u64::MAX)?;
        fork_epochs.extend(epoch.map(|epoch| (fork, epoch)));
    }
    Ok(Network { name, fork_epochs })
}

fn slashing(values: &Values, data_dir: Option<&Path>) -> Result<Option<Slashing>, Usage> {
    let enabled = values.switch("slashing-protection-enabled")?;
    let min_slot = values.number("slashing-protection-min-slot", 0..=u64::MAX)?;
    let min_epoch = values.number("slashing-protection-min-epoch", 0..=u64::MAX)?;
    match (enabled, data_dir) {
        (Some(true) | None, Some(directory)) => {
            Ok(Some(Slashing { directory: directory.to_owned(), min_slot, min_epoch }))
        }
        (Some(true), None) => Err(Usage::new(
            exit::CONFIG,
            "--slashing-protection-enabled needs a directory for its record".to_owned(),
        )
        .hint("give --data-dir DIR")),
        (Some(false) | None, _) if min_slot.or(min_epoch).is_some() => {
            Err(Usage::new(exit::CONFIG, "--slashing-protection-min-… while protection is off".to_owned()))
        }
        (Some(false) | None, _) => Ok(None),
    }
}

fn count(values: &Values, name: &str, bounds: std::ops::RangeInclusive<u64>) -> Result<Option<usize>, Usage> {
    Ok(values.number(name, bounds)?.and_then(|number| usize::try_from(number).ok()))
}
