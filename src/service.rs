//! From checked settings to the running service: every part is made here, once, in the order in which
//! it may fail.
//!
//! Listeners first, so that a port in use ends the start before any thread runs; keys last, decrypted
//! behind the open ports.

mod access;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use self::access::Guards;
use crate::api::guard::{Guard, Scope};
use crate::api::refusal::Refusal;
use crate::api::{Api, BodyRule, ControlApi, Service};
use crate::cli::error::{StartError, exit};
use crate::config::{Keymanager, Settings};
use crate::critical_thread;
use crate::data_dir;
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::keys::keyring::Keyring;
use crate::keys::table::KeyTable;
use crate::keys::{arena, secret};
use crate::log as log_lines;
use crate::metrics::{Metrics, Readings};
use crate::server::control::ControlSocket;
use crate::server::notify::inherited_listeners;
use crate::server::signers::Signers;
use crate::server::tls::Tls;
use crate::server::{self, Bind, ConnectionLimits, Server};
use crate::slashing::Protection;

/// Serves until a signal ends it. An error is whatever keeps the service from starting.
pub(crate) fn run(mut settings: Settings) -> Result<ExitCode, StartError> {
    secure_memory(&settings)?;
    data_dir::prepare(&settings)?;
    let guards = Guards::new(&mut settings)?;
    let tls = open_tls(&settings)?;
    let control_socket = access::bind_control_socket(&mut settings);
    let services = Services::default();
    let (server, names) = bind(&settings, tls.as_ref(), control_socket, &services)?;
    log_lines::start(settings.log_level, settings.log_json);

    let protection = Arc::new(protection(&settings)?);
    let keys = Arc::new(KeyTable::new());
    let keyring = Keyring::start(
        settings.sources.clone(),
        settings.loading.clone(),
        Arc::clone(&keys),
        Arc::clone(&protection),
    )
    .map_err(|reason| StartError::new(exit::OS, reason))?;
    let counters = Metrics::new(readings(&keys, &keyring, &protection));
    let signer = Signers::start(settings.workers).map_err(|error| no_thread(&error))?;
    access::warn_of_open_port(&settings, &guards.signing, &server, &names);
    announce(&settings, &server, &names, &protection);
    if let (Some(tls), address) = (&tls, settings.http.address) {
        log::info!(
            "for lists of known servers: {address} {}",
            tls.fingerprint()
        );
    }
    watch_loading(&settings, &keyring).map_err(|error| no_thread(&error))?;
    services.metrics.serve(MetricsPage {
        metrics: Arc::clone(&counters),
        guard: guards.metrics,
        signing: Arc::clone(&services.signing),
    });
    let api = Arc::new(Api {
        keys,
        keyring: Arc::clone(&keyring),
        protection,
        networks: settings.networks,
        signer: Box::new(signer),
        guard: guards.signing,
        metrics: counters,
        expect_keys: settings.expect_keys,
        access_log: settings.access_log,
        key_manager_enabled: !matches!(settings.keymanager, Keymanager::Off),
    });
    services.control.serve(ControlApi(Arc::clone(&api)));
    services.signing.serve(api);
    let code = server.run(|| {
        log::info!("SIGHUP: reloading");
        keyring.reload();
        if let Some(Err(error)) = tls.as_ref().map(|tls| tls.reload()) {
            log::error!("SIGHUP: {error}; certificate, key and clients stay as they were");
        }
        access::reload_tokens(&guards.token_files);
    });
    log_lines::flush();
    Ok(code)
}

/// Keys in locked memory, or at least an honest word about it. Core dumps are off since the process began.
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

/// More keys have come than memory can be locked for.
fn warn_unlocked(locked_bytes: usize) {
    let locked_kib = locked_bytes >> 10;
    log::warn!(
        "memory cannot be locked beyond {locked_kib} KiB: keys may be swapped to disk; raise `ulimit -l`"
    );
}

/// The same, where that was ruled out.
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
        return Err(StartError::new(
            exit::CONFIG,
            "sockets of systemd are served without TLS".to_owned(),
        )
        .hint("disable signerd.socket, or leave out the TLS options"));
    }
    Tls::open(files).map(Some).map_err(|error| {
        StartError::new(exit::CONFIG, error.to_string())
            .hint("certificates and keys are PEM files, and a key file is for its owner alone (chmod 600)")
    })
}

/// Sockets that systemd has opened take the place of our own; the one named `metrics` is for the metrics.
fn bind(
    settings: &Settings,
    tls: Option<&Arc<Tls>>,
    control_socket: Option<ControlSocket>,
    services: &Services,
) -> Result<(Server, Vec<&'static str>), StartError> {
    let Services {
        signing, metrics, ..
    } = services;
    let (for_metrics, for_signing): (Vec<_>, Vec<_>) = inherited_listeners()
        .into_iter()
        .partition(|(_, name)| name == "metrics");
    let mut listeners: Vec<(Bind, Arc<dyn Service>)> = Vec::new();
    let mut names = Vec::new();
    if let Some(socket) = control_socket {
        names.push("control");
        listeners.push((Bind::Control(socket), Arc::clone(&services.control) as _));
    }
    let mut listen = |bind, service: &Arc<Late>| {
        names.push(if Arc::ptr_eq(service, metrics) {
            "metrics"
        } else {
            "signing"
        });
        listeners.push((bind, Arc::clone(service) as _));
    };
    if let Some(own) = settings.metrics.as_ref().filter(|_| for_metrics.is_empty()) {
        listen(Bind::Tcp(own.address), metrics);
    }
    for_metrics
        .iter()
        .for_each(|(fd, _)| listen(Bind::Inherited(*fd), metrics));
    for_signing
        .iter()
        .for_each(|(fd, _)| listen(Bind::Inherited(*fd), signing));
    if for_signing.is_empty() {
        let address = settings.http.address;
        listen(
            tls.map_or(Bind::Tcp(address), |tls| {
                Bind::Tls(address, Arc::clone(tls))
            }),
            signing,
        );
    }
    if let Some(path) = &settings.unix {
        listen(Bind::Unix(path.clone()), signing);
    }
    let limits = ConnectionLimits {
        idle: settings.idle_timeout,
        per_address_max: settings.connections_per_address,
        per_local_max: settings.connections_local,
        ..ConnectionLimits::default()
    };
    let server = server::ServerSettings {
        listeners,
        limits,
        ..server::ServerSettings::default()
    };
    Server::bind(server)
        .map(|server| (server, names))
        .map_err(|error| {
            let hint = if error.source.kind() == ErrorKind::AddrInUse {
                "another process listens there: choose another port, or end that one"
            } else if error.source.kind() == ErrorKind::PermissionDenied {
                "ports below 1024 and other users' directories need rights"
            } else {
                "choose an address that this host has"
            };
            StartError::new(exit::UNAVAILABLE, error.to_string()).hint(hint)
        })
}

fn protection(settings: &Settings) -> Result<Protection, StartError> {
    let Some(wanted) = &settings.slashing else {
        return Ok(Protection::Off);
    };
    Protection::open(wanted).map_err(|error| {
        StartError::new(exit::UNAVAILABLE, format!("slashing protection: {error}"))
            .hint(error.hint())
    })
}

fn readings(
    keys: &Arc<KeyTable>,
    keyring: &Arc<Keyring>,
    protection: &Arc<Protection>,
) -> impl Fn() -> Readings + Send + Sync + use<> {
    let (keys, keyring, protection) = (
        Arc::clone(keys),
        Arc::clone(keyring),
        Arc::clone(protection),
    );
    move || {
        let (progress, memory) = (keyring.progress(), arena::report());
        Readings {
            keys_loaded: keys.len() as u64,
            keys_pending: progress.pending.unwrap_or(0) as u64,
            keys_failed: progress.failed as u64,
            memory_locked: memory.locked,
            memory_bytes: memory.bytes as u64,
            protection_on: matches!(*protection, Protection::On(_)),
            protection_counts: protection.counters(),
            cache_counts: secret::cache_counters(),
        }
    }
}

/// The first lines of the log: what a person must know of this process. The addresses come last.
fn announce(settings: &Settings, server: &Server, names: &[&str], protection: &Protection) {
    log::info!(
        "signerd {}, network {}",
        env!("CARGO_PKG_VERSION"),
        settings.networks.name()
    );
    for notice in &settings.notices {
        log::warn!("{notice}");
    }
    match protection {
        Protection::On(_) => {
            log::info!("slashing protection is on");
            if let Some((block, vote)) = protection.floors() {
                let slot = block.lowest();
                let epoch = vote.lowest();
                if slot > 0 || epoch > 0 {
                    log::info!("keys sign no block below slot {slot}, no vote below epoch {epoch}");
                }
            }
        }
        Protection::Off => {
            log::warn!("slashing protection is off: whatever is requested will be signed")
        }
    }
    // Whether memory can be locked is told now, not when the first key comes.
    arena::report();
    if let Keymanager::OwnTokenFile(path) = &settings.keymanager {
        log::info!(
            "the token of the Keymanager routes is in {}",
            path.display()
        );
    }
    for (name, address) in names.iter().zip(server.addresses()) {
        match address {
            Bind::Tcp(address) => log::info!("{name} on http://{address}"),
            Bind::Tls(address, _) => log::info!("{name} on https://{address}"),
            Bind::Unix(_) | Bind::Inherited(_) | Bind::Control(_) => {
                log::info!("{name} on {address}")
            }
        }
    }
}

/// The ports are open before the sources are listed. One that cannot be read ends the process all the
/// same; with `--strict`, so does a key that is missing once loading has ended.
fn watch_loading(settings: &Settings, keyring: &Arc<Keyring>) -> std::io::Result<()> {
    let keyring = Arc::clone(keyring);
    let strict = settings.strict;
    let expect_keys = settings.expect_keys;
    critical_thread::spawn("start", move || {
        let verdict = match keyring.wait_listed() {
            Err(error) => Err((exit::NO_INPUT, error.to_string())),
            Ok(()) if strict => {
                let verdict = keyring.wait_loaded().verdict(expect_keys);
                verdict.map_err(|reason| (exit::CONFIG, format!("--strict: {reason}")))
            }
            Ok(()) => Ok(()),
        };
        if let Err((code, reason)) = verdict {
            critical_thread::end_process(code, &StartError::new(code, reason).to_string());
        }
    })?;
    Ok(())
}

fn no_thread(error: &std::io::Error) -> StartError {
    StartError::new(exit::OS, format!("the system gives no thread: {error}"))
}

/// What the listeners serve.
#[derive(Default)]
struct Services {
    signing: Arc<Late>,
    metrics: Arc<Late>,
    control: Arc<Late>,
}

/// A service that is made after its listener: the port is bound before the first thread runs, and
/// nobody is served before all is there.
#[derive(Default)]
struct Late(OnceLock<Box<dyn Service>>);

impl Late {
    fn serve(&self, service: impl Service) {
        assert!(
            self.0.set(Box::new(service)).is_ok(),
            "a listener is given its service once"
        );
    }

    fn service(&self) -> &dyn Service {
        &**self
            .0
            .get()
            .expect("all services are made before the server runs")
    }
}

impl Service for Late {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        self.service().admit(request)
    }

    fn answer(&self, request: &mut Request) -> Response {
        self.service().answer(request)
    }

    fn has_reserved_places(&self) -> bool {
        self.service().has_reserved_places()
    }
}

/// The metrics listener: one page, and health.
struct MetricsPage {
    metrics: Arc<Metrics>,
    guard: Guard,
    signing: Arc<Late>,
}

impl Service for MetricsPage {
    fn admit(&self, request: &Request) -> Result<BodyRule, Response> {
        match request.path.as_str() {
            // Without TLS here: for probes that have no client certificate.
            HEALTHCHECK => self.signing.admit(request),
            _ => self.judge(request).map_err(Response::from),
        }
    }

    fn answer(&self, request: &mut Request) -> Response {
        match request.path.as_str() {
            HEALTHCHECK => self.signing.answer(request),
            _ => Response::new(200, OPEN_METRICS, self.metrics.text().into_bytes()),
        }
    }

    fn has_reserved_places(&self) -> bool {
        true
    }
}

impl MetricsPage {
    fn judge(&self, request: &Request) -> Result<BodyRule, Refusal> {
        self.guard.admit_host(request)?;
        if request.path != "/metrics" {
            return Err(Refusal::UnknownPath(request.path.clone()));
        }
        self.guard.admit_token(request, Scope::Everything)?;
        match matches!(request.method, Method::Get | Method::Head) {
            true => Ok(BodyRule::default()),
            false => Err(Refusal::Method("GET, HEAD")),
        }
    }
}

const HEALTHCHECK: &str = "/healthcheck";

/// The media type of Prometheus' text in the form of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
