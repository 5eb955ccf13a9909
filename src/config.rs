//! The options to checked settings: every path, permission and limit, before the first thread.
//!
//! Nothing that runs later meets a bad path, address or number. Contradictions between options are settled
//! here, and so is who may do what: one value each, chosen once.

mod access;
pub(crate) mod database;

use std::fs;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

pub(crate) use self::access::{Keymanager, tls};
use crate::cli::error::{StartError, exit};
use crate::cli::known_names;
use crate::cli::options::{self, KeymanagerAuth};
use crate::cli::token::TokenSource;
use crate::cli::typed_option::TypedOption;
use crate::cli::value_types::TextList;
use crate::cli::values::{Dialect, OptionValues};
use crate::consensus::networks::Networks;
use crate::consensus::primitives::{Epoch, Slot};
use crate::hex;
use crate::keys::duplicate_use::{IgnoredClients, IpNetwork};
use crate::keys::keyring_state::KeyringSettings;
use crate::keys::sources::{KeystoreDirectory, MnemonicFiles, PasswordFiles, Sources};
use crate::log::LogFormat;
use crate::server::tls::TlsFiles;
use crate::slashing::{self, ChainClock};

/// The service, fully checked. `cli::options` says what each option means.
pub struct Settings {
    pub(crate) http: ListenerSettings,
    pub(crate) unix: Option<PathBuf>,
    /// Web origins that may call; `*` stands for any.
    pub(crate) cors_origins: Vec<String>,
    /// A connection that is idle for so long is closed.
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
    /// What the Keymanager routes ask of a caller.
    pub(crate) keymanager_auth: KeymanagerAuth,
    /// Whether `POST /api/v1/eth2/ext/sign/{key}` is served.
    pub(crate) signing_ext: bool,
    /// Lines below it are not logged.
    pub(crate) log_level: LevelFilter,
    pub(crate) log_format: LogFormat,
    pub(crate) access_log: bool,
    /// The file of the audit log.
    pub(crate) audit_log: Option<PathBuf>,
    /// The clients that may share keys.
    pub(crate) duplicate_use_ignore: IgnoredClients,
    /// Where imported keys and slashing protection are kept; `data_dir::prepare` makes it.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) sources: Sources,
    pub(crate) loading: KeyringSettings,
    pub(crate) strict: bool,
    pub(crate) expect_keys: Option<usize>,
    pub(crate) require_mlock: bool,
    /// Signing threads; `None` for one a core.
    pub(crate) workers: Option<usize>,
    pub(crate) networks: Networks,
    /// Slashing protection; `None` signs whatever is requested.
    pub(crate) slashing: Option<slashing::ProtectionSettings>,
    /// Lines for the log: what was ignored, and what may surprise.
    pub(crate) notices: Vec<String>,
}

/// A TCP listener, and the hosts that it serves.
pub(crate) struct ListenerSettings {
    /// Address and port; port 0 lets the system choose.
    pub(crate) address: SocketAddr,
    /// Host headers that are served; `None` for any.
    pub(crate) hosts: Option<Vec<String>>,
}

/// Where imported keystores are, in the data directory.
const IMPORTS_DIR: &str = "keystores";

impl Settings {
    /// Checks all values, and the files that they name.
    ///
    /// # Errors
    /// The first value or file that cannot be used.
    pub fn check(values: &OptionValues) -> Result<Self, StartError> {
        let address = values.address(options::HTTP_LISTEN_HOST, options::HTTP_LISTEN_PORT)?;
        let listen_host = values.get(options::HTTP_LISTEN_HOST)?;
        let http = ListenerSettings {
            address,
            hosts: hosts(values, options::HTTP_HOST_ALLOWLIST, listen_host, address)?,
        };
        let data_dir = data_dir(values)?;
        let networks = networks(values)?;
        let auth_token = access::auth_token(values)?;
        let slashing = slashing(values, data_dir.as_deref(), &networks)?;
        let tls = tls(values)?;
        let keymanager_auth = access::keymanager_auth(values, tls.as_ref())?;
        let keymanager = if keymanager_auth == KeymanagerAuth::NotAsked {
            access::keymanager_without_auth(values)?
        } else {
            access::keymanager(values, auth_token.is_some(), data_dir.as_deref(), &http)?
        };
        let mut notices = values.notices.clone();
        if keymanager_auth == KeymanagerAuth::NotAsked
            && !matches!(keymanager, Keymanager::Off)
            && !http.address.ip().is_loopback()
        {
            notices.push(format!(
                "--keymanager-auth=none: every machine that reaches {} can add and delete keys",
                http.address
            ));
        }
        if values.is_given(options::SLASHING_PROTECTION_DB_URL)
            && slashing
                .as_ref()
                .is_none_or(|slashing| slashing.database.is_none())
        {
            notices.push(
                "--slashing-protection-db-url is ignored: slashing protection is off or kept in the data directory"
                    .to_owned(),
            );
        }
        if let Some(slashing) = &slashing {
            notices.extend(slashing.floor_notice());
        }
        Ok(Self {
            unix: values.get(options::LISTEN_UNIX)?,
            cors_origins: values.get(options::HTTP_CORS_ORIGINS)?,
            idle_timeout: values.get(options::IDLE_CONNECTION_TIMEOUT)?,
            connections_per_address: values.get(options::MAX_CONNECTIONS_PER_ADDRESS)?,
            connections_local: values.get(options::MAX_CONNECTIONS_LOCAL)?,
            tls,
            metrics: metrics(values, &http)?,
            keymanager,
            keymanager_auth,
            signing_ext: values.get(options::SIGNING_EXT_ENABLED)?,
            auth_token,
            log_level: values.get(options::LOGGING)?,
            log_format: values.get(options::LOGGING_FORMAT)?,
            access_log: values.get(options::ACCESS_LOGS_ENABLED)?,
            audit_log: values.get(options::AUDIT_LOG)?,
            duplicate_use_ignore: ignored_clients(values)?,
            sources: sources(values, data_dir.as_deref())?,
            loading: loading(values)?,
            strict: values.get(options::STRICT)?,
            expect_keys: values.get(options::EXPECT_KEYS)?,
            require_mlock: values.get(options::REQUIRE_MLOCK)?,
            workers: values.get(options::WORKERS)?,
            slashing,
            networks,
            notices,
            http,
            data_dir,
        })
    }
}

/// Reads an allowlist of hosts, to which the listen host belongs too. `localhost` stands for the loopback
/// addresses as well.
///
/// As py3signer, its form serves any host without an allowlist when the operator has opened the port to other
/// machines; Web3Signer's form does not.
fn hosts(
    values: &OptionValues,
    allowlist: TypedOption<TextList>,
    listen_host: String,
    address: SocketAddr,
) -> Result<Option<Vec<String>>, StartError> {
    let mut hosts = values.get(allowlist)?;
    let is_open = !address.ip().to_canonical().is_loopback();
    if is_open && values.dialect == Dialect::Signerd && !values.is_given(allowlist) {
        return Ok(None);
    }
    if hosts.iter().any(|host| host == "*" || host == "all") {
        return Ok(None);
    }
    if hosts.iter().any(|host| host == "localhost") {
        hosts.extend(["127.0.0.1".to_owned(), "[::1]".to_owned()]);
    }
    if !hosts.contains(&listen_host) {
        hosts.push(listen_host);
    }
    for host in &mut hosts {
        // In a Host header an IPv6 address stands in brackets.
        if host.parse::<Ipv6Addr>().is_ok() {
            *host = format!("[{host}]");
        }
    }
    Ok(Some(hosts))
}

/// Reads the clients that may share keys: addresses and networks, or `all`.
fn ignored_clients(values: &OptionValues) -> Result<IgnoredClients, StartError> {
    let mut ignored = IgnoredClients::default();
    for text in values.get(options::DUPLICATE_USE_IGNORE)? {
        if text.eq_ignore_ascii_case("all") {
            ignored.all = true;
            continue;
        }
        let network = IpNetwork::parse(&text).ok_or_else(|| {
            let expected = "addresses, networks such as 10.0.0.0/24, or all";
            values.wrong(&options::DUPLICATE_USE_IGNORE.row, expected)
        })?;
        ignored.networks.push(network);
    }
    Ok(ignored)
}

fn metrics(
    values: &OptionValues,
    http: &ListenerSettings,
) -> Result<Option<ListenerSettings>, StartError> {
    if !values.get(options::METRICS_ENABLED)? {
        return Ok(None);
    }
    let address = values.address(options::METRICS_HOST, options::METRICS_PORT)?;
    let listen_host = values.get(options::METRICS_HOST)?;
    let metrics = ListenerSettings {
        address,
        hosts: hosts(
            values,
            options::METRICS_HOST_ALLOWLIST,
            listen_host,
            address,
        )?,
    };
    if metrics.address == http.address && http.address.port() != 0 {
        let expected = "another port than --http-listen-port";
        return Err(values.wrong(&options::METRICS_PORT.row, expected));
    }
    Ok(Some(metrics))
}

/// Returns the directory that outlives the process. Web3Signer's form keeps imported keys beside the key files,
/// and makes a missing directory; in our own form it must exist.
pub(crate) fn data_dir(values: &OptionValues) -> Result<Option<PathBuf>, StartError> {
    let is_web3signer = values.dialect == Dialect::Web3signer;
    let Some(path) = values.get(options::DATA_DIR)? else {
        if is_web3signer && values.get(options::KEY_MANAGER_API_ENABLED)? {
            return values.get(options::KEY_CONFIG_PATH);
        }
        return Ok(None);
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    if path.is_dir() || (is_web3signer && !path.exists() && parent.is_dir()) {
        return Ok(Some(path));
    }
    let message = format!("--data-dir: {} is not a directory", path.display());
    let hint = format!("run `mkdir -m 700 {}`", path.display());
    Err(StartError::new(exit::NO_INPUT, message).hint(hint))
}

fn sources(values: &OptionValues, data_dir: Option<&Path>) -> Result<Sources, StartError> {
    let keystores = values.get(options::KEYSTORES_PATH)?;
    let passwords = values.get(options::KEYSTORES_PASSWORDS_PATH)?;
    let password_file = values.get(options::KEYSTORES_PASSWORD_FILE)?;
    let keys_dirs = values.get(options::KEYS)?;
    let keystore_directories = match (keystores, passwords, password_file.clone()) {
        (_, Some(_), Some(_)) => {
            return conflict(
                "--keystores-passwords-path and --keystores-password-file exclude each other",
            );
        }
        (Some(keystores), Some(passwords), None) => vec![KeystoreDirectory {
            keystores,
            passwords: PasswordFiles::Dir(passwords),
        }],
        (Some(keystores), None, Some(file)) => vec![KeystoreDirectory {
            keystores,
            passwords: PasswordFiles::File(file),
        }],
        (None, None, None) => Vec::new(),
        (None, None, Some(_)) if !keys_dirs.is_empty() => Vec::new(),
        (_, _, _) => {
            return conflict(
                "--keystores-path goes with --keystores-passwords-path or --keystores-password-file",
            );
        }
    };
    Ok(Sources {
        keystore_directories,
        keys_dirs,
        keys_password_file: password_file,
        key_config_path: values.get(options::KEY_CONFIG_PATH)?,
        key_config_bytes_max: Some(values.get(options::KEY_STORE_CONFIG_FILE_MAX_SIZE)?),
        interop: values.get(options::INTEROP_KEYS)?,
        mnemonic: mnemonic(values)?,
        data_dir: data_dir.map(Path::to_owned),
        allow_insecure_permissions: values.get(options::ALLOW_INSECURE_PERMISSIONS)?,
    })
}

fn mnemonic(values: &OptionValues) -> Result<Option<MnemonicFiles>, StartError> {
    let range = values.get(options::KEY_RANGE)?;
    let passphrase_file = values.get(options::MNEMONIC_PASSPHRASE_FILE)?;
    match values.get(options::MNEMONIC_FILE)? {
        Some(file) => Ok(Some(MnemonicFiles {
            file,
            passphrase_file,
            range,
        })),
        None if passphrase_file.is_some() => {
            conflict("--mnemonic-passphrase-file needs --mnemonic-file")
        }
        None => Ok(None),
    }
}

fn loading(values: &OptionValues) -> Result<KeyringSettings, StartError> {
    let decrypt_memory_mib = values.get(options::DECRYPT_MEMORY_MIB)?;
    Ok(KeyringSettings {
        decrypt_memory_bytes: decrypt_memory_mib.map(|mib| mib << 20),
        key_cache: values.get(options::KEY_CACHE)?,
        imports_in_memory: values.get(options::SKIP_KEYSTORE_STORAGE)?,
        reload_timeout: values.get(options::RELOAD_TIMEOUT)?,
    })
}

/// Returns the chosen network; unset it is mainnet, and whatever built-in network a request belongs to.
fn networks(values: &OptionValues) -> Result<Networks, StartError> {
    let mut networks = match values.get(options::NETWORK)? {
        None => Networks::default(),
        Some(name) => match Networks::named(&name) {
            Some(networks) => networks,
            None => network_of_file(values, &name)?,
        },
    };
    for (fork, option) in options::FORK_EPOCHS {
        let Some(epoch) = values.get(option)? else {
            continue;
        };
        if !networks.set_fork_epoch(fork, Epoch(epoch)) {
            let expected = format!("a fork that {} knows", networks.name());
            return Err(values.wrong(&option.row, &expected));
        }
    }
    Ok(networks)
}

fn network_of_file(values: &OptionValues, name: &str) -> Result<Networks, StartError> {
    let refused = |reason: &str| values.refused(&options::NETWORK.row, reason);
    if name.contains("://") {
        let url = hex::shorten(name);
        return Err(refused(&format!("nothing is downloaded from {url}")).hint(
            "download the file yourself (curl -fLo config.yaml URL) and give its path: \
                 --network=config.yaml",
        ));
    }
    let path = Path::new(name);
    let not_readable = |reason: &str, hint: &str| {
        let mut error = refused(reason).hint(hint);
        error.code = exit::NO_INPUT;
        error
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(not_readable(
                &format!("{name} is a directory, not the config.yaml of a network"),
                &format!(
                    "give the file in it, as {}",
                    path.join("config.yaml").display()
                ),
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && looks_like_path(name) => {
            return Err(not_readable(
                &format!("the path {name} does not exist"),
                "give the path of the network's config.yaml as this process sees it, in a container the \
                 mounted one",
            ));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(unknown_network(values, name));
        }
        Ok(_) | Err(_) => {}
    }
    let text = fs::read_to_string(path).map_err(|error| StartError::unreadable(path, &error))?;
    Networks::from_yaml(&text)
        .map_err(|error| StartError::new(exit::CONFIG, format!("{name}: {error}")))
}

/// Whether a value can only be meant for a path: names of networks have no slash and no file extension.
fn looks_like_path(name: &str) -> bool {
    name.contains('/') || Path::new(name).extension().is_some()
}

fn unknown_network(values: &OptionValues, name: &str) -> StartError {
    let nearest = known_names::nearest(&name.to_ascii_lowercase(), Networks::names());
    let guess = nearest.map_or_else(String::new, |names| {
        format!("did you mean {}? ", names.join(" or "))
    });
    let names: Vec<_> = Networks::names().collect();
    let expected = "the name of a network or the path of its config.yaml";
    let wrong = values.wrong(&options::NETWORK.row, expected);
    wrong.hint(format!("{guess}the names are {}", names.join(", ")))
}

fn slashing(
    values: &OptionValues,
    data_dir: Option<&Path>,
    networks: &Networks,
) -> Result<Option<slashing::ProtectionSettings>, StartError> {
    let min_slot = values.get(options::SLASHING_PROTECTION_MIN_SLOT)?;
    let min_epoch = values.get(options::SLASHING_PROTECTION_MIN_EPOCH)?;
    let replaces_lost_store = values.get(options::SLASHING_PROTECTION_NEW_STORE)?;
    let is_wanted = values.get(options::SLASHING_PROTECTION_ENABLED)?;
    let database = database::database(values)?;
    if is_wanted != Some(false) && (data_dir.is_some() || database.is_some()) {
        // Only a named network rules out other chains.
        let chain = if values.is_given(options::NETWORK) {
            networks.genesis_validators_root()
        } else {
            None
        };
        return Ok(Some(slashing::ProtectionSettings {
            directory: data_dir.map(Path::to_owned).unwrap_or_default(),
            pruning: database::pruning(values)?.filter(|_| database.is_some()),
            database,
            min_slot: min_slot.map(Slot),
            min_epoch: min_epoch.map(Epoch),
            chain,
            clock: networks.slot_times().map(ChainClock::of_this_host),
            has_keys: has_keys(values, data_dir)?,
            replaces_lost_store,
        }));
    }
    if is_wanted == Some(true) {
        return conflict(
            "--slashing-protection-enabled needs --data-dir, or a database (--slashing-protection-db-url), for \
             its record",
        );
    }
    if min_slot.or(min_epoch).is_some() {
        return conflict("--slashing-protection-min-slot and -epoch need protection, which is off");
    }
    if replaces_lost_store {
        return conflict("--slashing-protection-new-store needs protection, which is off");
    }
    Ok(None)
}

/// Returns whether any source may hold a key: one that has signed before, without protection.
fn has_keys(values: &OptionValues, data_dir: Option<&Path>) -> Result<bool, StartError> {
    if values.is_given(options::INTEROP_KEYS) || values.is_given(options::MNEMONIC_FILE) {
        return Ok(true);
    }
    let mut directories = values.get(options::KEYS)?;
    directories.extend(values.get(options::KEYSTORES_PATH)?);
    directories.extend(values.get(options::KEY_CONFIG_PATH)?);
    directories.extend(data_dir.map(|data_dir| data_dir.join(IMPORTS_DIR)));
    let is_filled = |path: &PathBuf| {
        let mut entries = fs::read_dir(path).into_iter().flatten();
        entries.next().is_some()
    };
    Ok(directories.iter().any(is_filled))
}

fn conflict<T>(message: &str) -> Result<T, StartError> {
    Err(StartError::new(exit::CONFIG, message))
}
