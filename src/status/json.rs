//! The figures as JSON, for `GET /status`. `packaging/openapi.yaml` describes it.
//!
//! What the reader may not see is `null`.

use serde_json::{Value, json};

use super::report::{
    DetailsReport, FiguresReport, HealthReport, LatenessReport, StatusReport, TokenState, worst,
};
use super::{Quantiles, SLOTS_SHOWN};

/// Returns the figures as a JSON object.
pub(crate) fn write(report: &StatusReport) -> Value {
    let findings = report.findings();
    let state = worst(&findings).word();
    let mut texts = Vec::new();
    for finding in findings {
        texts.push(json!({"state": finding.state.word(), "text": finding.text}));
    }
    let details = report
        .figures
        .as_ref()
        .and_then(|figures| figures.details.as_ref());
    let mut object = json!({
        "state": state,
        "findings": texts,
        "network": report.health.network,
        "keys": keys(&report.health, details),
        "details": report.token == TokenState::Right,
    });
    if let Some(figures) = &report.figures {
        add_figures(&mut object, &report.health, figures);
    }
    object
}

fn keys(health: &HealthReport, details: Option<&DetailsReport>) -> Value {
    let failures = details.map(|details| {
        let failures = details.failures.iter();
        let failures = failures.map(|(file, reason)| json!({"file": file, "reason": reason}));
        failures.collect::<Vec<_>>()
    });
    json!({
        "loaded": health.keys_loaded,
        "pending": health.keys_pending,
        "failed": health.keys_failed,
        "expected": health.keys_expected,
        "memory_locked": health.memory_locked,
        "failures": failures,
    })
}

fn add_figures(object: &mut Value, health: &HealthReport, figures: &FiguresReport) {
    let details = figures.details.as_ref();
    let mut types = Vec::new();
    for row in &figures.signatures {
        types.push(json!({
            "type": row.name,
            "recent": row.per_slot.iter().sum::<u64>(),
            "total": row.total,
            "per_slot": row.per_slot,
        }));
    }
    let mut refusals = Vec::new();
    for row in &figures.refusals {
        refusals.push(json!({"reason": row.name, "recent": row.recent, "total": row.total}));
    }
    let mut rules = Vec::new();
    for row in &figures.rules {
        rules.push(json!({"rule": row.name, "recent": row.recent, "total": row.total}));
    }
    object["version"] = json!(figures.version);
    object["uptime_seconds"] = json!(figures.uptime_seconds);
    object["time"] = json!(figures.now_seconds);
    object["slot"] = json!(figures.position.map(|(slot, _)| slot));
    object["epoch"] = json!(figures.position.map(|(_, epoch)| epoch));
    object["slashing_protection"] = json!({
        "store": health.store.word(),
        "works": health.store_works,
        "error": details.and_then(|details| details.store_error.as_ref()),
        "permitted": figures.permitted,
        "prevented": figures.prevented,
        "rules": rules,
        "last_record_seconds": figures.last_record_seconds,
    });
    object["signatures"] = json!({
        "slots": SLOTS_SHOWN,
        "slot_ms": figures.slot_ms,
        "types": types,
        "latency_ms": quantiles(figures.latency),
    });
    object["lateness"] = json!(lateness(figures));
    object["refusals"] = json!(refusals);
    object["duplicate_uses"] = json!({
        "count": figures.duplicate_uses,
        "keys": details.map(duplicates),
    });
    object["connections"] = json!({
        "open": figures.connections,
        "clients": figures.clients,
        "by_client": details.map(clients),
    });
    object["warnings"] = json!({
        "count": figures.warnings,
        "lines": details.map(warnings),
    });
}

fn lateness(figures: &FiguresReport) -> Vec<Value> {
    let mut rows = Vec::new();
    for LatenessReport { name, counts } in &figures.lateness {
        let within = json!({"p50": counts.p50_ms, "p99": counts.p99_ms});
        rows.push(json!({
            "type": name,
            "recent": counts.duties,
            "late": counts.late,
            "within_ms": (counts.duties > 0).then_some(within),
        }));
    }
    rows
}

fn quantiles(quantiles: Option<Quantiles>) -> Value {
    let Some(Quantiles { p50_us, p99_us }) = quantiles else {
        return Value::Null;
    };
    let ms = |us: u64| us as f64 / 1000.0;
    json!({"p50": ms(p50_us), "p99": ms(p99_us)})
}

fn duplicates(details: &DetailsReport) -> Vec<Value> {
    let mut rows = Vec::new();
    for row in &details.duplicates {
        rows.push(json!({
            "key": row.key,
            "clients": row.clients,
            "epoch": row.epoch,
            "epochs": row.epochs,
            "seconds_ago": row.seconds_ago,
        }));
    }
    rows
}

fn clients(details: &DetailsReport) -> Vec<Value> {
    let mut rows = Vec::new();
    for row in &details.clients {
        rows.push(json!({
            "client": row.name,
            "connections": row.connections,
            "idle_seconds": row.idle_seconds,
        }));
    }
    rows
}

fn warnings(details: &DetailsReport) -> Vec<Value> {
    let mut rows = Vec::new();
    for row in &details.warnings {
        rows.push(json!({"time": row.seconds, "level": row.level, "message": row.message}));
    }
    rows
}
