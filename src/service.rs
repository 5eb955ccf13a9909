//! From checked settings to the running service: every part is made here, once, in the order in which it
//! may fail.
//!
//! Listeners come first, so that a port in use ends the start before any thread runs; keys come last,
//! decrypted behind the open ports.

mod access;
mod listeners;
mod supervised;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use self::access::Guards;
use self::supervised::SupervisedService;
use crate::api::guard::Guard;
use crate::api::refusal_log::RefusalLog;
use crate::api::routes::counted_routes;
use crate::api::state::{Api, ListenerApi, RouteSet};
use crate::audit_log::{AuditFile, AuditLog};
use crate::cli::error::{StartError, exit};
use crate::config::{Keymanager, Settings};
use crate::critical_thread;
use crate::data_dir;
use crate::keys::duplicate_use::DuplicateUses;
use crate::keys::keyring::Keyring;
use crate::keys::table::KeyTable;
use crate::keys::{arena, secret};
use crate::log as log_lines;
use crate::metrics::{Metrics, ServiceSnapshot, TlsSnapshot};
use crate::server::gauges::ServerGauges;
use crate::server::notify::inherited_listeners;
use crate::server::signers::{Signers, SignersGauge};
use crate::server::tls::Tls;
use crate::server::{ListenAddress, Server, Services};
use crate::slashing::{Protection, StoreObserver};
use crate::status::RecentActivity;

/// Closes the process to debuggers and core dumps. To be called before anything else: arguments and
/// environment may hold a token.
///
/// # Errors
/// The system refuses it.
pub fn harden_process() -> Result<(), StartError> {
    arena::harden().map_err(|error| {
        let message = format!("core dumps cannot be switched off: {error}");
        StartError::new(exit::OS, message)
            .hint("allow prctl(2) and setrlimit(2): a filter of system calls forbids them")
    })
}

/// How long the start waits for the sources to be listed before it says where it listens.
const LISTING_PAUSE: Duration = Duration::from_millis(200);

/// Serves until a signal ends it.
///
/// # Errors
/// What keeps the service from starting.
pub fn run(mut settings: Settings) -> Result<ExitCode, StartError> {
    // Lines wait until the first thread may start.
    let log_writer = log_lines::install(settings.log_level, settings.log_format);
    secure_memory(&settings)?;
    data_dir::prepare(&settings)?;
    let audit_file = open_audit_log(&settings)?;
    let guards = Guards::new(&mut settings)?;
    let tls = open_tls(&settings)?;
    let control_socket = listeners::bind_control_socket(&mut settings);
    let server = listeners::bind(&settings, tls.as_ref(), control_socket)?;
    log_writer.start();

    let protection = Arc::new(open_protection(&settings)?);
    announce(&settings, &protection);
    access::warn_of_open_port(&settings, &guards.signing, &server);
    let keys = Arc::new(KeyTable::new());
    let keyring = start_keyring(&settings, &keys, &protection)?;
    let duplicate_uses = Arc::new(DuplicateUses::new(settings.duplicate_use_ignore.clone()));
    let started = Instant::now();
    let audit_log = start_audit_log(audit_file).map_err(|error| no_thread(&error))?;
    let signer = Signers::start(settings.workers).map_err(|error| no_thread(&error))?;
    let parts = MeasuredParts {
        keys: Arc::clone(&keys),
        keyring: Arc::clone(&keyring),
        protection: Arc::clone(&protection),
        protection_store: protection_store(&settings),
        duplicate_uses: Arc::clone(&duplicate_uses),
        audit_log: audit_log.clone(),
        tls: tls.as_ref().map(Arc::clone),
        server: server.gauges(),
        signers: signer.gauge(),
        keys_expected: settings.expect_keys.unwrap_or(0),
    };
    let metrics = start_metrics(parts);
    let listed = watch_loading(&settings, &keyring).map_err(|error| no_thread(&error))?;
    // Gives a source that cannot be read the time to end the process before the addresses are announced.
    let _ = listed.recv_timeout(LISTING_PAUSE);
    announce_addresses(&settings, &server, tls.as_deref());

    let api = Arc::new(Api {
        keys,
        keyring,
        protection,
        activity: RecentActivity::new(settings.networks.slot_times()),
        clients: Box::new(server.clients()),
        certificate_not_after: certificate_expiry(tls.as_ref()),
        started,
        networks: settings.networks,
        signer: Box::new(signer),
        metrics,
        duplicate_uses,
        refusal_log: RefusalLog::default(),
        audit_log,
        expect_keys: settings.expect_keys,
        access_log: settings.access_log,
        signing_extension_enabled: settings.signing_ext,
        key_manager_enabled: !matches!(settings.keymanager, Keymanager::Off),
    });
    let services = services(&api, guards.signing, guards.metrics);
    let supervised = SupervisedService {
        api: Arc::clone(&api),
        tls,
        token_files: guards.token_files,
    };
    let code = server.run(services, &supervised);
    if let Some(audit_log) = &api.audit_log {
        audit_log.flush();
    }
    log_lines::flush();
    Ok(code)
}

/// Returns what each kind of listener serves.
fn services(api: &Arc<Api>, signing: Guard, metrics: Guard) -> Services {
    let service = |routes, guard| {
        Arc::new(ListenerApi {
            api: Arc::clone(api),
            routes,
            guard,
        })
    };
    Services {
        signing: service(RouteSet::Signing, Some(signing)),
        metrics: service(RouteSet::Metrics, Some(metrics)),
        control: service(RouteSet::Signing, None),
    }
}

/// Requires locked memory for keys, or prepares a warning. Core dumps have been off since the process began.
fn secure_memory(settings: &Settings) -> Result<(), StartError> {
    if settings.require_mlock {
        arena::require_lock().map_err(|error| {
            StartError::new(exit::OS, format!("--require-mlock: {error}"))
                .hint("raise the limit: LimitMEMLOCK=infinity in the unit, or `ulimit -l`")
        })?;
        arena::when_not_locked(end_unlocked);
    } else {
        arena::when_not_locked(warn_unlocked);
    }
    Ok(())
}

/// Warns that there are more keys than memory can be locked for.
fn warn_unlocked(locked_bytes: usize) {
    let locked_kib = locked_bytes >> 10;
    log::warn!(
        "memory cannot be locked beyond {locked_kib} KiB: keys may be swapped to disk; raise `ulimit -l`"
    );
}

/// Ends the process because there are more keys than memory can be locked for.
fn end_unlocked(locked_bytes: usize) {
    let locked_kib = locked_bytes >> 10;
    log::error!(
        "--require-mlock: memory cannot be locked beyond {locked_kib} KiB, and more keys have come; \
         raise the limit: LimitMEMLOCK=infinity in the unit, or `ulimit -l`"
    );
    critical_thread::end_process(exit::OS, "");
}

fn open_tls(settings: &Settings) -> Result<Option<Arc<Tls>>, StartError> {
    let Some(files) = settings.tls.clone() else {
        return Ok(None);
    };
    if !inherited_listeners().is_empty() {
        return Err(
            StartError::new(exit::CONFIG, "sockets of systemd are served without TLS")
                .hint("disable signerd.socket, or leave out the TLS options"),
        );
    }
    Tls::open(files).map(Some).map_err(|error| {
        StartError::new(exit::CONFIG, error.to_string()).hint(
            "certificates and keys are PEM files, and only the owner of a key file may read it (chmod 600)",
        )
    })
}

/// Opens the file of the audit log.
fn open_audit_log(settings: &Settings) -> Result<Option<AuditFile>, StartError> {
    let Some(path) = &settings.audit_log else {
        return Ok(None);
    };
    AuditFile::open(path).map(Some).map_err(|error| {
        let code = if error.kind() == io::ErrorKind::PermissionDenied {
            exit::PERMISSION
        } else {
            exit::CANNOT_CREATE
        };
        let path = path.display();
        StartError::new(code, format!("--audit-log: {path}: {error}")).hint(
            "name a file in a directory that this user may write; with the unit of the package that is \
             /var/log/signerd",
        )
    })
}

/// Starts the threads of the audit log, if there is one.
fn start_audit_log(file: Option<AuditFile>) -> io::Result<Option<Arc<AuditLog>>> {
    match file {
        Some(file) => Ok(Some(Arc::new(file.start()?))),
        None => Ok(None),
    }
}

fn open_protection(settings: &Settings) -> Result<Protection, StartError> {
    let Some(protection) = &settings.slashing else {
        return Ok(Protection::Off);
    };
    Protection::open(protection).map_err(|error| {
        StartError::new(exit::UNAVAILABLE, format!("slashing protection: {error}"))
            .hint(error.hint())
    })
}

fn start_keyring(
    settings: &Settings,
    keys: &Arc<KeyTable>,
    protection: &Arc<Protection>,
) -> Result<Arc<Keyring>, StartError> {
    Keyring::start(
        settings.sources.clone(),
        settings.loading.clone(),
        Arc::clone(keys),
        Arc::clone(protection),
    )
    .map_err(|reason| StartError::new(exit::OS, reason))
}

/// The parts of the service whose figures are metrics.
struct MeasuredParts {
    keys: Arc<KeyTable>,
    keyring: Arc<Keyring>,
    protection: Arc<Protection>,
    /// Where slashing protection keeps its records, as a word.
    protection_store: &'static str,
    duplicate_uses: Arc<DuplicateUses>,
    audit_log: Option<Arc<AuditLog>>,
    tls: Option<Arc<Tls>>,
    server: ServerGauges,
    signers: SignersGauge,
    keys_expected: usize,
}

impl MeasuredParts {
    fn read(&self) -> ServiceSnapshot {
        let progress = self.keyring.progress();
        let memory = arena::report();
        ServiceSnapshot {
            keys_loaded: self.keys.len() as u64,
            keys_pending: progress.pending.unwrap_or(0) as u64,
            keys_failed: progress.failed as u64,
            keys_expected: self.keys_expected as u64,
            first_load_ended: progress.first_load_ended,
            memory_locked: memory.locked,
            memory_bytes: memory.bytes as u64,
            protection: self.protection_store,
            store_available: self.protection.is_available(),
            protection_counts: self.protection.counters(),
            duplicate_uses: self.duplicate_uses.count(),
            audit: self.audit_log.as_ref().map(|audit_log| audit_log.counts()),
            cache_counts: secret::cache_counters(),
            signing_accelerated: secret::is_accelerated(),
            connections: self.server.connections(),
            in_flight_bytes: self.server.in_flight_bytes(),
            signers: self.signers.read(),
            tls: self.tls.as_ref().map(|tls| TlsSnapshot {
                certificate_not_after: tls.not_after(),
                failed_handshakes: tls.failed_handshakes(),
            }),
        }
    }
}

/// Starts to count. What slashing protection does is counted too.
fn start_metrics(parts: MeasuredParts) -> Arc<Metrics> {
    let protection = Arc::clone(&parts.protection);
    let metrics = Metrics::new(counted_routes(), move || parts.read());
    protection.observe(Arc::clone(&metrics) as Arc<dyn StoreObserver>);
    metrics
}

/// Returns where slashing protection keeps its records, as a word.
fn protection_store(settings: &Settings) -> &'static str {
    match &settings.slashing {
        None => "off",
        Some(protection) if protection.database.is_some() => "database",
        Some(_) => "directory",
    }
}

/// Returns the function that gives the expiry of the certificate, for the status page.
fn certificate_expiry(tls: Option<&Arc<Tls>>) -> Box<dyn Fn() -> Option<i64> + Send + Sync> {
    let tls = tls.map(Arc::clone);
    Box::new(move || tls.as_ref().map(|tls| tls.not_after()))
}

/// Writes the first lines of the log: what a person must know of this process. The addresses come last.
fn announce(settings: &Settings, protection: &Protection) {
    log::info!(
        "signerd {}, network {}",
        env!("CARGO_PKG_VERSION"),
        settings.networks.name()
    );
    for notice in &settings.notices {
        log::warn!("{notice}");
    }
    announce_protection(protection);
    // Both log their result now and not at the first key.
    arena::report();
    secret::is_accelerated();
    if let Keymanager::OwnTokenFile(path) = &settings.keymanager {
        log::info!(
            "the token of the Keymanager routes is in {}",
            path.display()
        );
    }
}

/// Logs where the service listens.
fn announce_addresses(settings: &Settings, server: &Server, tls: Option<&Tls>) {
    for (role, address) in server.addresses() {
        match address {
            ListenAddress::Tcp(address) => log::info!("{role} on http://{address}"),
            ListenAddress::Tls(address, _) => log::info!("{role} on https://{address}"),
            ListenAddress::Unix(_) | ListenAddress::Inherited(_) | ListenAddress::Control(_) => {
                log::info!("{role} on {address}")
            }
        }
    }
    if let Some(tls) = tls {
        tls.warn_of_expiry();
        let address = settings.http.address;
        log::info!(
            "for lists of known servers: {address} {}",
            tls.fingerprint()
        );
    }
}

fn announce_protection(protection: &Protection) {
    let Protection::On(store) = protection else {
        log::warn!("slashing protection is off: whatever is requested will be signed");
        return;
    };
    log::info!("slashing protection is on: {}", store.location());
    if let Some((block, vote)) = protection.floors() {
        let slot = block.lowest();
        let epoch = vote.lowest();
        if slot > 0 || epoch > 0 {
            log::info!("keys sign no block below slot {slot}, no vote below epoch {epoch}");
        }
    }
}

/// Ends the process when a source cannot be read; with `--strict`, also when a key is missing once loading
/// has ended. The ports are open before. The receiver hears when the sources are listed.
fn watch_loading(settings: &Settings, keyring: &Arc<Keyring>) -> io::Result<Receiver<()>> {
    let (listed, is_listed) = mpsc::channel();
    let keyring = Arc::clone(keyring);
    let strict = settings.strict;
    let expect_keys = settings.expect_keys;
    critical_thread::spawn("start", move || {
        if let Err(error) = keyring.wait_listed() {
            end_start(exit::NO_INPUT, error.to_string());
        }
        let _ = listed.send(());
        if strict && let Err(reason) = keyring.wait_loaded().verdict(expect_keys) {
            end_start(exit::CONFIG, format!("--strict: {reason}"));
        }
        let progress = keyring.wait_loaded();
        // A key that failed has its own line, which names the cause.
        if progress.loaded == 0 && progress.failures.is_empty() {
            log::warn!("{NO_KEYS}");
        }
    })?;
    Ok(is_listed)
}

/// What is worth a warning when nothing can be signed.
const NO_KEYS: &str = "there are no keys, so nothing can be signed. Add some in one of three ways: give a directory of \
                       keystores by --keys DIR; import keystores by the Keymanager API, POST /eth/v1/keystores; or \
                       put NAME.json and NAME.txt into DATA-DIR/keystores and reload, by SIGHUP or POST /reload. \
                       For tests there is --interop-keys 0..64";

fn end_start(code: u8, reason: String) -> ! {
    critical_thread::end_process(code, &StartError::new(code, reason).to_string())
}

fn no_thread(error: &io::Error) -> StartError {
    StartError::new(exit::OS, format!("the system gives no thread: {error}"))
}
