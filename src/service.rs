//! From checked settings to the running service: every part is made here, once, in the order in which
//! it may fail.
//!
//! Listeners first, so that a port in use ends the start before any thread runs; keys last, decrypted
//! behind the open ports.

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use crate::api::guard::{Allowlist, Guard, Scope, Token};
use crate::api::refusal::Refusal;
use crate::api::{Api, BodyRule, Service};
use crate::cli::{Usage, exit};
use crate::config::{Keymanager, Settings, read_or_make_token};
use crate::http::request::{Method, Request};
use crate::http::response::Response;
use crate::keys::loader::Loader;
use crate::keys::table::KeyTable;
use crate::keys::{locked, secret};
use crate::log as log_lines;
use crate::metrics::{Metrics, Readings};
use crate::server::notify::inherited_listeners;
use crate::server::signers::Signers;
use crate::server::tls::Tls;
use crate::server::{self, Bind, Limits, Server};
use crate::slashing::{Floor, Protection};

/// Serves until a signal ends it. An error is whatever keeps the service from starting.
pub(crate) fn run(mut settings: Settings) -> Result<ExitCode, Usage> {
    secure_memory(&settings)?;
    settings.make_data_dir()?;
    let guards = Guards::new(&mut settings)?;
    let tls = open_tls(&settings)?;
    let (signing, metrics) = (Arc::new(Late::default()), Arc::new(Late::default()));
    let (server, names) = bind(&settings, tls.as_ref(), &signing, &metrics)?;
    log_lines::start(settings.log_level, settings.log_json);

    let protection = Arc::new(protection(&settings)?);
    let keys = Arc::new(KeyTable::new());
    let loader = Loader::start(
        settings.sources.clone(),
        settings.loading.clone(),
        Arc::clone(&keys),
        Arc::clone(&protection),
    );
    let counters = Metrics::new(readings(&keys, &loader, &protection));
    let signer = Signers::start(settings.workers).map_err(|error| no_thread(&error))?;
    announce(&settings, &server, &names, &protection);
    if let (Some(tls), address) = (&tls, settings.http.address) {
        log::info!(
            "for lists of known servers: {address} {}",
            tls.fingerprint()
        );
    }
    watch_loading(&settings, &loader).map_err(|error| no_thread(&error))?;
    metrics.serve(MetricsPage {
        metrics: Arc::clone(&counters),
        guard: guards.metrics,
        signing: Arc::clone(&signing),
    });
    signing.serve(Api {
        keys,
        loader: Arc::clone(&loader),
        protection,
        networks: settings.networks,
        signer: Box::new(signer),
        guard: guards.signing,
        metrics: counters,
        expect_keys: settings.expect_keys,
        access_log: settings.access_log,
        key_manager_enabled: !matches!(settings.keymanager, Keymanager::Off),
    });
    let code = server.run(|| {
        if loader.reload().is_err() {
            log::warn!("SIGHUP: a reload runs already");
        }
        if let Some(Err(error)) = tls.as_ref().map(|tls| tls.reload()) {
            log::error!("SIGHUP: {error}; certificate, key and clients stay as they were");
        }
    });
    log_lines::flush();
    Ok(code)
}

/// No core dump, no ptrace; keys in locked memory, or at least an honest word about it.
fn secure_memory(settings: &Settings) -> Result<(), Usage> {
    locked::harden().map_err(|error| {
        Usage::new(
            exit::OS,
            format!("core dumps cannot be switched off: {error}"),
        )
    })?;
    if settings.require_mlock {
        locked::require_lock().map_err(|error| {
            Usage::new(exit::OS, format!("--require-mlock: {error}"))
                .hint("raise the limit: LimitMEMLOCK=infinity in the unit, or `ulimit -l`")
        })?;
        locked::when_not_locked(end_unlocked);
    } else {
        locked::when_not_locked(warn_unlocked);
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
    log_lines::flush();
    std::process::exit(i32::from(exit::OS));
}

/// The rules of both listeners.
struct Guards {
    signing: Guard,
    metrics: Guard,
}

impl Guards {
    /// Takes the tokens out of the settings: what is kept of them does not tell them.
    fn new(settings: &mut Settings) -> Result<Self, Usage> {
        let auth_token = settings.auth_token.take();
        let everything = || auth_token.as_ref().map(|token| Token::new(token));
        let key_manager_token = match &mut settings.keymanager {
            Keymanager::Token(token) => Some(Token::new(&std::mem::take(token))),
            Keymanager::TokenFile(path) => Some(Token::new(&read_or_make_token(path)?)),
            Keymanager::Off | Keymanager::Open | Keymanager::Closed => None,
        };
        let hosts =
            |hosts: &Option<Vec<String>>| hosts.clone().map_or(Allowlist::All, Allowlist::new);
        Ok(Self {
            signing: Guard {
                token: everything(),
                key_manager_token,
                // Who reaches a socket of systemd is not known here.
                key_manager_needs_token: !matches!(settings.keymanager, Keymanager::Open)
                    || !inherited_listeners().is_empty(),
                hosts: hosts(&settings.http.hosts),
                origins: Allowlist::new(settings.cors_origins.clone()),
            },
            metrics: Guard {
                token: everything(),
                key_manager_token: None,
                key_manager_needs_token: false,
                hosts: hosts(
                    &settings
                        .metrics
                        .as_ref()
                        .and_then(|metrics| metrics.hosts.clone()),
                ),
                origins: Allowlist::new([]),
            },
        })
    }
}

fn open_tls(settings: &Settings) -> Result<Option<Arc<Tls>>, Usage> {
    let Some(files) = settings.tls.clone() else {
        return Ok(None);
    };
    if !inherited_listeners().is_empty() {
        return Err(Usage::new(
            exit::CONFIG,
            "sockets of systemd are served without TLS".to_owned(),
        )
        .hint("disable signerd.socket, or leave out the TLS options"));
    }
    Tls::open(files).map(Some).map_err(|error| {
        Usage::new(exit::CONFIG, error.to_string())
            .hint("certificates and keys are PEM files, and a key file is for its owner alone (chmod 600)")
    })
}

/// Sockets that systemd has opened take the place of our own; the one named `metrics` is for the metrics.
fn bind(
    settings: &Settings,
    tls: Option<&Arc<Tls>>,
    signing: &Arc<Late>,
    metrics: &Arc<Late>,
) -> Result<(Server, Vec<&'static str>), Usage> {
    let (for_metrics, for_signing): (Vec<_>, Vec<_>) = inherited_listeners()
        .into_iter()
        .partition(|(_, name)| name == "metrics");
    let mut listeners: Vec<(Bind, Arc<dyn Service>)> = Vec::new();
    let mut names = Vec::new();
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
    let limits = Limits {
        idle: settings.idle_timeout,
        per_address_max: settings.connections_per_address,
        per_local_max: settings.connections_local,
        ..Limits::default()
    };
    let server = server::Settings {
        listeners,
        limits,
        ..server::Settings::default()
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
            Usage::new(exit::UNAVAILABLE, error.to_string()).hint(hint)
        })
}

fn protection(settings: &Settings) -> Result<Protection, Usage> {
    let Some(wanted) = &settings.slashing else {
        return Ok(Protection::Off);
    };
    Protection::open(wanted).map_err(|error| {
        Usage::new(exit::UNAVAILABLE, format!("slashing protection: {error}")).hint(error.hint())
    })
}

fn readings(
    keys: &Arc<KeyTable>,
    loader: &Arc<Loader>,
    protection: &Arc<Protection>,
) -> impl Fn() -> Readings + Send + Sync + use<> {
    let (keys, loader, protection) = (Arc::clone(keys), Arc::clone(loader), Arc::clone(protection));
    move || {
        let (progress, memory) = (loader.progress(), locked::report());
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
            let floors = settings
                .slashing
                .as_ref()
                .map(|it| [it.block_floor, it.vote_floor]);
            if let Some([slot, epoch]) = floors
                .map(|it| it.map(Floor::lowest))
                .filter(|it| *it != [0, 0])
            {
                log::info!(
                    "keys without a record sign no block below slot {slot}, no vote below epoch {epoch}"
                );
            }
        }
        Protection::Off => {
            log::warn!("slashing protection is off: whatever is requested will be signed")
        }
    }
    // Whether memory can be locked is told now, not when the first key comes.
    locked::report();
    if let Keymanager::TokenFile(path) = &settings.keymanager {
        log::info!(
            "the token of the Keymanager routes is in {}",
            path.display()
        );
    }
    for (name, address) in names.iter().zip(server.addresses()) {
        match address {
            Bind::Tcp(address) => log::info!("{name} on http://{address}"),
            Bind::Tls(address, _) => log::info!("{name} on https://{address}"),
            Bind::Unix(_) | Bind::Inherited(_) => log::info!("{name} on {address}"),
        }
    }
}

/// The ports are open before the sources are listed. One that cannot be read ends the process all the
/// same; with `--strict`, so does a key that is missing once loading has ended.
fn watch_loading(settings: &Settings, loader: &Arc<Loader>) -> std::io::Result<()> {
    let (loader, strict, expect_keys) = (Arc::clone(loader), settings.strict, settings.expect_keys);
    let watcher = std::thread::Builder::new().name("start".into());
    watcher.spawn(move || {
        let verdict = match loader.wait_listed() {
            Err(error) => Err((exit::NO_INPUT, error.to_string())),
            Ok(()) if strict => {
                let verdict = loader.wait_loaded().verdict(expect_keys);
                verdict.map_err(|reason| (exit::CONFIG, format!("--strict: {reason}")))
            }
            Ok(()) => Ok(()),
        };
        if let Err((code, reason)) = verdict {
            log_lines::flush();
            eprintln!("{}", Usage::new(code, reason));
            std::process::exit(i32::from(code));
        }
    })?;
    Ok(())
}

fn no_thread(error: &std::io::Error) -> Usage {
    Usage::new(exit::OS, format!("the system gives no thread: {error}"))
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
