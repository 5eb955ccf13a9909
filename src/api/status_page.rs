//! The status page and its figures: gathers what the reader may see.
//!
//! Without any token a reader learns what `/metrics` shows. With the token of `--auth-token` or of the
//! Keymanager routes, or on the control socket, also names, addresses and reasons. Where `/metrics` asks for
//! the token, the page without it shows what `/health` does.

use std::time::UNIX_EPOCH;

use super::guard::Credential;
use super::refusal::Refusal;
use super::state::{Api, ListenerApi};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::keys::arena;
use crate::keys::progress::Progress;
use crate::keys::secret;
use crate::metrics::{ERROR_TYPES, RULES, SIGNED_TYPES, TIMED_TYPES};
use crate::slashing::Protection;
use crate::status::report::{
    ConnectedClient, CountReport, DetailsReport, DuplicateReport, FiguresReport, HealthReport,
    LatenessReport, SignedTypeReport, StatusReport, StoreKind, TokenState,
};
use crate::status::warnings::{self, Warnings};
use crate::status::{ActivitySnapshot, json, page, unix_seconds};

const HTML: &str = "text/html; charset=utf-8";

/// Most files, duplicate uses and clients that are listed: the page stays small.
const ROWS_MAX: usize = 20;

/// A duplicate use that was noticed within two epochs of mainnet may still go on.
const RECENT_DUPLICATE_SECONDS: u64 = 768;

/// `GET /`: the page for a browser.
pub(super) fn page(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let report = gather(listener, request);
    let html = page::write(&report);
    let mut response = Response::new(200, HTML, html.into_bytes())
        .with("Content-Security-Policy", page::security_policy())
        .with("X-Content-Type-Options", "nosniff")
        .with("Referrer-Policy", "no-referrer")
        .with("Cross-Origin-Resource-Policy", "same-origin")
        .with("Cache-Control", "no-store");
    response.is_wrong_guess = report.token == TokenState::Wrong;
    Ok(response)
}

/// `GET /status`: the same figures as JSON.
pub(super) fn figures(listener: &ListenerApi, request: &mut Request) -> Result<Response, Refusal> {
    let report = gather(listener, request);
    let mut response = Response::json(200, &json::write(&report)).with("Cache-Control", "no-store");
    response.is_wrong_guess = report.token == TokenState::Wrong;
    Ok(response)
}

fn gather(listener: &ListenerApi, request: &Request) -> StatusReport {
    let api = &listener.api;
    let token = token_state(listener, request);
    let asks_for_token = listener
        .guard
        .as_ref()
        .is_some_and(|guard| guard.token.is_some());
    let shows_figures = token == TokenState::Right || !asks_for_token;
    let progress = api.keyring.progress();
    let store = api.protection.health();
    let store_error = store.err().map(|error| error.to_string());
    StatusReport {
        health: health(api, &progress, store_error.is_none()),
        figures: shows_figures.then(|| {
            let shows_details = token == TokenState::Right;
            gather_figures(api, shows_details.then_some((progress, store_error)))
        }),
        token,
    }
}

fn token_state(listener: &ListenerApi, request: &Request) -> TokenState {
    let Some(guard) = &listener.guard else {
        return TokenState::Right;
    };
    match guard.credential(request) {
        Credential::Right => TokenState::Right,
        Credential::Wrong => TokenState::Wrong,
        Credential::Missing if guard.has_token() => TokenState::NotSent,
        Credential::Missing => TokenState::NotConfigured,
    }
}

fn health(api: &Api, progress: &Progress, store_works: bool) -> HealthReport {
    HealthReport {
        network: api.networks.name().to_owned(),
        is_network_chosen: api.networks.is_chosen(),
        keys_loaded: api.keys.len() as u64,
        keys_pending: progress.pending.map(|pending| pending as u64),
        keys_failed: progress.failed as u64,
        keys_expected: api.expect_keys.map(|expected| expected as u64),
        first_load_ended: progress.first_load_ended,
        seconds_left: progress.seconds_left,
        memory_locked: arena::report().locked,
        accelerated: secret::is_accelerated(),
        store: match &*api.protection {
            Protection::Off => StoreKind::Off,
            Protection::On(store) if store.is_database() => StoreKind::Database,
            Protection::On(_) => StoreKind::Directory,
        },
        store_works,
    }
}

/// Gathers the figures; with the details, if these are given.
fn gather_figures(api: &Api, shown: Option<(Progress, Option<String>)>) -> FiguresReport {
    let now_seconds = unix_seconds();
    let activity = api.activity.snapshot();
    let (permitted, prevented) = api.protection.counters();
    let clients = (api.clients)();
    let warnings = warnings::read();
    let duplicates = duplicates(api, now_seconds);
    let last_record = api.protection.last_record_seconds();
    let slot = api.networks.slot_at(now_seconds);
    FiguresReport {
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: api.started.elapsed().as_secs(),
        now_seconds,
        position: slot.map(|slot| (slot.0, slot.0 / api.networks.slots_per_epoch())),
        slot_ms: activity.slot_ms,
        signatures: signatures(api, &activity),
        latency: activity.durations,
        lateness: lateness(&activity),
        refusals: counts(ERROR_TYPES, activity.refused, api.metrics.refused_counts()),
        rules: counts(RULES, activity.prevented, api.metrics.prevented_counts()),
        permitted,
        prevented,
        last_record_seconds: last_record.map(|seconds| now_seconds.saturating_sub(seconds)),
        duplicate_uses: api.duplicate_uses.count(),
        duplicate_use_is_recent: duplicates
            .first()
            .is_some_and(|latest| latest.seconds_ago <= RECENT_DUPLICATE_SECONDS),
        connections: clients.iter().map(|client| client.connections).sum(),
        clients: clients.len() as u64,
        warnings: warnings.count,
        certificate_seconds_left: (api.certificate_not_after)()
            .map(|seconds| seconds.saturating_sub_unsigned(now_seconds)),
        details: shown.map(|(progress, store_error)| {
            details(progress, store_error, duplicates, clients, warnings)
        }),
    }
}

fn details(
    progress: Progress,
    store_error: Option<String>,
    mut duplicates: Vec<DuplicateReport>,
    mut clients: Vec<ConnectedClient>,
    warnings: Warnings,
) -> DetailsReport {
    let mut failures = progress.failures;
    failures.truncate(ROWS_MAX);
    duplicates.truncate(ROWS_MAX);
    clients.truncate(ROWS_MAX);
    DetailsReport {
        failures,
        store_error,
        duplicates,
        clients,
        warnings: warnings.lines.into(),
    }
}

fn signatures(api: &Api, activity: &ActivitySnapshot) -> Vec<SignedTypeReport> {
    let totals = api.metrics.signed_counts();
    let mut rows = Vec::new();
    for (kind, name) in SIGNED_TYPES.into_iter().enumerate() {
        rows.push(SignedTypeReport {
            name,
            per_slot: activity.signed[kind],
            total: totals[kind],
        });
    }
    rows
}

fn lateness(activity: &ActivitySnapshot) -> Vec<LatenessReport> {
    let mut rows = Vec::new();
    for (name, counts) in TIMED_TYPES.into_iter().zip(activity.lateness) {
        rows.push(LatenessReport { name, counts });
    }
    rows
}

fn counts<const N: usize>(
    names: [&'static str; N],
    recent: [u64; N],
    totals: [u64; N],
) -> Vec<CountReport> {
    let mut rows = Vec::new();
    for (kind, name) in names.into_iter().enumerate() {
        rows.push(CountReport {
            name,
            recent: recent[kind],
            total: totals[kind],
        });
    }
    rows
}

/// The latest first.
fn duplicates(api: &Api, now_seconds: u64) -> Vec<DuplicateReport> {
    let mut rows = Vec::new();
    for duplicate in api.duplicate_uses.list() {
        let noticed = duplicate
            .noticed
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        rows.push(DuplicateReport {
            key: duplicate.key.to_string(),
            clients: duplicate.clients,
            epoch: duplicate.epoch.0,
            epochs: duplicate.epochs,
            seconds_ago: now_seconds.saturating_sub(noticed.as_secs()),
        });
    }
    rows
}
