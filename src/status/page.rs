//! The figures as an HTML page without any external part. It is whole without its script, which only loads it
//! again.
//!
//! Names of files, log lines and addresses are what others have written: [`Escaped`] writes all of them.
//!
//! Over 500 lines because each section of the page has its function here, in the order of the page.

use std::fmt::{self, Display, Write};
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::counted::counted;

use super::report::{
    CountReport, DetailsReport, FiguresReport, HealthReport, LatenessReport, ServiceState,
    SignedTypeReport, StatusFinding, StatusReport, StoreKind, TokenState, duration, words, worst,
};
use super::{Quantiles, SLOTS_SHOWN};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Types that have a row before the first signature: what every validator signs.
const USUAL_TYPES: [&str; 2] = ["ATTESTATION", "BLOCK_V2"];

/// The chart of a row in its own units: a bar of 4 and a gap of 1 for each slot.
const BAR_STEP: usize = 5;
const CHART_WIDTH: usize = SLOTS_SHOWN * BAR_STEP;
const CHART_HEIGHT: u64 = 24;

/// Returns the content security policy of the page: the style and the script of this build and nothing else,
/// and requests to this server alone.
pub(crate) fn security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
        format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'",
            hash(SCRIPT),
            hash(STYLE)
        )
    })
}

/// Writes the page.
pub(crate) fn write(report: &StatusReport) -> String {
    let findings = report.findings();
    let summary = summary(&findings);
    let mut figures = String::new();
    // Writing to a string does not fail.
    let _ = write_figures(&mut figures, report, &findings, &summary);
    let mut page =
        String::with_capacity(TEMPLATE.len() + STYLE.len() + SCRIPT.len() + figures.len());
    let mut rest = TEMPLATE;
    for (marker, text) in [
        ("{title}", &*title(&summary)),
        ("{style}", STYLE),
        ("{figures}", &figures),
        ("{script}", SCRIPT),
    ] {
        let (before, after) = rest
            .split_once(marker)
            .expect("the template has its markers in this order");
        page.push_str(before);
        page.push_str(text);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// Text that others have written, safe in an element and in a quoted attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                control if control.is_control() => write!(f, "{}", control.escape_default())?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A number with commas between its thousands.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (position, digit) in digits.chars().enumerate() {
            if position > 0 && (digits.len() - position).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A duration in milliseconds with two significant digits or more.
struct Milliseconds(u64);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0 as f64 / 1000.0;
        if ms < 10.0 {
            write!(f, "{ms:.2}")
        } else {
            write!(f, "{ms:.0}")
        }
    }
}

/// A bound of lateness, given in milliseconds.
struct Lateness(u64);

impl Display for Lateness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0 as f64 / 1000.0)
    }
}

fn summary(findings: &[StatusFinding]) -> String {
    match worst(findings) {
        ServiceState::Good => "All is well".to_owned(),
        ServiceState::Attention => "Needs attention".to_owned(),
        ServiceState::Problem => "There is a problem".to_owned(),
    }
}

fn title(summary: &str) -> String {
    format!("{summary} · signerd")
}

fn write_figures(
    out: &mut String,
    report: &StatusReport,
    findings: &[StatusFinding],
    summary: &str,
) -> fmt::Result {
    let token = match report.token {
        TokenState::NotConfigured => "none",
        TokenState::NotSent => "missing",
        TokenState::Wrong => "wrong",
        TokenState::Right => "right",
    };
    writeln!(
        out,
        "<div id=\"figures\" data-summary=\"{summary}\" data-title=\"{}\" data-token=\"{token}\">",
        title(summary)
    )?;
    write_header(out, report)?;
    write_verdict(out, findings, summary)?;
    write_numbers(out, report)?;
    if let Some(figures) = &report.figures {
        out.push_str("<div class=\"columns\">\n<div>\n");
        write_signatures(out, figures)?;
        write_lateness(out, figures)?;
        write_warnings(out, figures)?;
        out.push_str("</div>\n<div>\n");
        write_protection(out, &report.health, figures)?;
        write_refusals(out, figures)?;
        if let Some(details) = &figures.details {
            write_failures(out, details)?;
            write_clients(out, details)?;
        }
        out.push_str("</div>\n</div>\n");
    }
    out.push_str("</main>\n</div>");
    Ok(())
}

fn write_header(out: &mut String, report: &StatusReport) -> fmt::Result {
    write!(out, "<header>\n<h1>signerd")?;
    if let Some(figures) = &report.figures {
        write!(out, " {}", figures.version)?;
    }
    let network = Escaped(&report.health.network);
    if report.health.is_network_chosen {
        write!(out, "</h1>\n<p>{network}</p>\n")?;
    } else {
        let advice = "by default; choose it with --network to see slots and lateness";
        write!(out, "</h1>\n<p>{network} {advice}</p>\n")?;
    }
    if let Some(figures) = &report.figures {
        if let Some((slot, epoch)) = figures.position {
            writeln!(
                out,
                "<p>slot {}, epoch {}</p>",
                Grouped(slot),
                Grouped(epoch)
            )?;
        }
        let time = time(figures.now_seconds);
        write!(
            out,
            "<p>up {}</p>\n<p><time datetime=\"{time}\">{}</time></p>\n",
            duration(figures.uptime_seconds),
            clock(&time)
        )?;
    }
    out.write_str("</header>\n<main>\n")
}

fn write_verdict(out: &mut String, findings: &[StatusFinding], summary: &str) -> fmt::Result {
    let state = worst(findings).word();
    write!(
        out,
        "<section class=\"verdict {state}\" aria-labelledby=\"verdict\">\n<h2 id=\"verdict\">{summary}</h2>\n"
    )?;
    if !findings.is_empty() {
        out.push_str("<ul>\n");
        for finding in findings {
            writeln!(out, "<li>{}</li>", Escaped(&finding.text))?;
        }
        out.push_str("</ul>\n");
    }
    out.write_str("</section>\n")
}

/// The figures to see at a glance.
fn write_numbers(out: &mut String, report: &StatusReport) -> fmt::Result {
    let health = &report.health;
    out.push_str("<dl class=\"numbers\">\n");
    let pending = match health.keys_pending {
        None => "looking for keys".to_owned(),
        Some(pending) => format!(
            "{} pending, {} failed",
            Grouped(pending),
            Grouped(health.keys_failed)
        ),
    };
    write_number(out, "Keys loaded", Grouped(health.keys_loaded), &pending)?;
    let store = match health.store {
        StoreKind::Off => "off",
        StoreKind::Directory | StoreKind::Database if health.store_works => "on",
        StoreKind::Directory | StoreKind::Database => "failing",
    };
    let Some(figures) = &report.figures else {
        write_number(out, "Slashing protection", store, "")?;
        return out.write_str("</dl>\n");
    };
    let last_record = match (health.store, figures.last_record_seconds) {
        (StoreKind::Off, _) => String::new(),
        (StoreKind::Directory | StoreKind::Database, None) => {
            "no record since the start".to_owned()
        }
        (StoreKind::Directory | StoreKind::Database, Some(seconds)) => {
            format!("last record {} ago", duration(seconds))
        }
    };
    write_number(out, "Slashing protection", store, &last_record)?;
    let recent: u64 = figures.signatures.iter().flat_map(|row| row.per_slot).sum();
    let total: u64 = figures.signatures.iter().map(|row| row.total).sum();
    let total = format!("{} since the start", Grouped(total));
    write_number(
        out,
        &format!("Signatures, last {SLOTS_SHOWN} slots"),
        Grouped(recent),
        &total,
    )?;
    write_latency(out, figures.latency)?;
    let refused: u64 = figures.refusals.iter().map(|row| row.recent).sum();
    let total: u64 = figures.refusals.iter().map(|row| row.total).sum();
    let total = format!("{} since the start", Grouped(total));
    write_number(
        out,
        &format!("Refusals, last {SLOTS_SHOWN} slots"),
        Grouped(refused),
        &total,
    )?;
    let clients = format!("from {}", counted(figures.clients, "address", "addresses"));
    write_number(out, "Connections", Grouped(figures.connections), &clients)?;
    out.write_str("</dl>\n")
}

fn write_latency(out: &mut String, latency: Option<Quantiles>) -> fmt::Result {
    match latency {
        None => write_number(out, "Time of a signature", "–", "no signature"),
        Some(Quantiles { p50_us, p99_us }) => {
            let p50 = format!("{} <small>ms</small>", Milliseconds(p50_us));
            let p99 = format!("median; p99 {} ms", Milliseconds(p99_us));
            write_number(out, "Time of a signature", p50, &p99)
        }
    }
}

/// `value` and `note` are markup.
fn write_number(out: &mut String, name: &str, value: impl Display, note: &str) -> fmt::Result {
    writeln!(
        out,
        "<div><dt>{name}</dt><dd class=\"big\">{value}</dd><dd class=\"soft\">{note}</dd></div>"
    )
}

fn write_signatures(out: &mut String, figures: &FiguresReport) -> fmt::Result {
    write!(
        out,
        "<section aria-labelledby=\"signatures\">\n<h2 id=\"signatures\">Signatures by type</h2>\n<table>\n\
         <thead><tr><th scope=\"col\">type</th><th scope=\"col\" class=\"chart\">last {SLOTS_SHOWN} slots of {} s</th>\
         <th scope=\"col\" class=\"count\">in these</th><th scope=\"col\" class=\"count\">since start</th></tr></thead>\n<tbody>\n",
        figures.slot_ms as f64 / 1000.0
    )?;
    for (number, row) in figures.signatures.iter().enumerate() {
        if row.total == 0 && !USUAL_TYPES.contains(&row.name) {
            continue;
        }
        let recent: u64 = row.per_slot.iter().sum();
        write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"chart\">",
            words(row.name)
        )?;
        write_chart(out, number, row)?;
        writeln!(
            out,
            "</td><td class=\"count\">{}</td><td class=\"count\">{}</td></tr>",
            Grouped(recent),
            Grouped(row.total)
        )?;
    }
    out.write_str("</tbody>\n</table>\n</section>\n")
}

/// One bar for each slot; the highest one has the height of the chart.
fn write_chart(out: &mut String, number: usize, row: &SignedTypeReport) -> fmt::Result {
    let most = row.per_slot.iter().copied().max().unwrap_or(0);
    let now = row.per_slot[SLOTS_SHOWN - 1];
    write!(
        out,
        "<svg viewBox=\"0 0 {CHART_WIDTH} {CHART_HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-labelledby=\"chart{number}\" aria-describedby=\"chart{number}d\">\
         <title id=\"chart{number}\">{} in each slot</title>\
         <desc id=\"chart{number}d\">{now} in the current slot, at most {most} in one slot</desc>\
         <line x1=\"0\" x2=\"{CHART_WIDTH}\" y1=\"{CHART_HEIGHT}\" y2=\"{CHART_HEIGHT}\"/>",
        words(row.name)
    )?;
    if most > 0 {
        out.push_str("<path d=\"");
        for (slot, count) in row.per_slot.iter().enumerate() {
            if *count > 0 {
                let height = (count * CHART_HEIGHT).div_ceil(most);
                write!(
                    out,
                    "M{} {CHART_HEIGHT}v-{height}h4v{height}z",
                    slot * BAR_STEP
                )?;
            }
        }
        out.push_str("\"/>");
    }
    out.write_str("</svg>")
}

fn write_lateness(out: &mut String, figures: &FiguresReport) -> fmt::Result {
    out.push_str(
        "<section aria-labelledby=\"lateness\">\n<h2 id=\"lateness\">Lateness of requests</h2>\n",
    );
    if figures.lateness.iter().all(|row| row.counts.duties == 0) {
        writeln!(
            out,
            "<p class=\"soft\">No message of this time in the last {SLOTS_SHOWN} slots.</p>"
        )?;
        return out.write_str("</section>\n");
    }
    begin_table(out, "type", &["requests", "half within", "99 % within"])?;
    for LatenessReport { name, counts } in &figures.lateness {
        if counts.duties > 0 {
            writeln!(
                out,
                "<tr><th scope=\"row\">{}</th><td class=\"count\">{}</td><td class=\"count\">{}</td>\
                 <td class=\"count\">{}</td></tr>",
                words(name),
                Grouped(counts.duties),
                Lateness(counts.p50_ms),
                Lateness(counts.p99_ms)
            )?;
        }
    }
    out.push_str("</tbody>\n</table>\n");
    writeln!(
        out,
        "<p class=\"soft\">How long after the start of its slot or third of a slot a message was asked for, \
         in the last {SLOTS_SHOWN} slots.</p>"
    )?;
    out.write_str("</section>\n")
}

fn write_protection(
    out: &mut String,
    health: &HealthReport,
    figures: &FiguresReport,
) -> fmt::Result {
    let store = match health.store {
        StoreKind::Off => "off",
        StoreKind::Directory => "on, records in the data directory",
        StoreKind::Database => "on, records in the database",
    };
    out.push_str("<section aria-labelledby=\"protection\">\n<h2 id=\"protection\">Slashing protection</h2>\n");
    begin_table(out, "what", &["since start"])?;
    for (name, number) in [
        ("signatures permitted", figures.permitted),
        ("signatures prevented", figures.prevented),
        (
            "keys used by two clients, each epoch",
            figures.duplicate_uses,
        ),
    ] {
        write_counts(out, name, &[number])?;
    }
    out.push_str("</tbody>\n</table>\n");
    writeln!(out, "<p class=\"soft\">It is {store}.</p>")?;
    if figures.rules.iter().any(|row| row.total > 0) {
        out.push_str("<h3>Prevented by rule</h3>\n");
        write_recent_counts(out, "rule", &figures.rules)?;
    }
    if let Some(details) = &figures.details {
        if let Some(error) = &details.store_error {
            writeln!(
                out,
                "<p class=\"problem\"><bdi>{}</bdi></p>",
                Escaped(error)
            )?;
        }
        if !details.duplicates.is_empty() {
            out.push_str("<h3>Keys that two clients use</h3>\n<ul class=\"lines\">\n");
            for row in &details.duplicates {
                writeln!(
                    out,
                    "<li><span class=\"mono\">{}</span><br><bdi>{}</bdi> and <bdi>{}</bdi>, {} ago, in {}</li>",
                    Escaped(&row.key),
                    Escaped(&row.clients[0]),
                    Escaped(&row.clients[1]),
                    duration(row.seconds_ago),
                    counted(row.epochs, "epoch", "epochs")
                )?;
            }
            out.push_str("</ul>\n");
        }
    }
    out.write_str("</section>\n")
}

fn write_refusals(out: &mut String, figures: &FiguresReport) -> fmt::Result {
    out.push_str(
        "<section aria-labelledby=\"refusals\">\n<h2 id=\"refusals\">Refused requests</h2>\n",
    );
    if figures.refusals.iter().all(|row| row.total == 0) {
        out.push_str("<p class=\"soft\">None since the start.</p>\n");
        return out.write_str("</section>\n");
    }
    write_recent_counts(out, "reason", &figures.refusals)?;
    out.write_str("</section>\n")
}

fn write_failures(out: &mut String, details: &DetailsReport) -> fmt::Result {
    if details.failures.is_empty() {
        return Ok(());
    }
    out.push_str("<section aria-labelledby=\"failures\">\n<h2 id=\"failures\">Keystores that did not open</h2>\n<ul class=\"lines\">\n");
    for (file, reason) in &details.failures {
        writeln!(
            out,
            "<li><bdi class=\"mono\">{}</bdi><br><bdi>{}</bdi></li>",
            Escaped(file),
            Escaped(reason)
        )?;
    }
    out.write_str("</ul>\n</section>\n")
}

fn write_clients(out: &mut String, details: &DetailsReport) -> fmt::Result {
    out.push_str(
        "<section aria-labelledby=\"clients\">\n<h2 id=\"clients\">Connected clients</h2>\n",
    );
    begin_table(out, "address", &["connections", "idle"])?;
    for client in &details.clients {
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"count\">{}</td><td class=\"count\">{}</td></tr>",
            Escaped(&client.name),
            Grouped(client.connections),
            duration(client.idle_seconds)
        )?;
    }
    out.write_str("</tbody>\n</table>\n</section>\n")
}

fn write_warnings(out: &mut String, figures: &FiguresReport) -> fmt::Result {
    out.push_str(
        "<section aria-labelledby=\"warnings\">\n<h2 id=\"warnings\">Warnings in the log</h2>\n",
    );
    let lines = figures.details.as_ref().map(|details| &details.warnings);
    match lines {
        _ if figures.warnings == 0 => out.push_str("<p class=\"soft\">None since the start.</p>\n"),
        None => writeln!(
            out,
            "<p class=\"soft\">{} since the start. Their text is shown with the token.</p>",
            Grouped(figures.warnings)
        )?,
        Some(lines) => {
            out.push_str("<ul class=\"lines\">\n");
            for line in lines {
                let time = time(line.seconds);
                let class = if line.level == "ERROR" {
                    "problem"
                } else {
                    "attention"
                };
                writeln!(
                    out,
                    "<li><span class=\"soft\"><time datetime=\"{time}\">{}</time></span> \
                     <span class=\"{class}\">{}</span> <bdi>{}</bdi></li>",
                    clock(&time),
                    line.level,
                    Escaped(&line.message)
                )?;
            }
            out.push_str("</ul>\n");
        }
    }
    out.write_str("</section>\n")
}

/// Writes a table of what has happened since the start.
fn write_recent_counts(out: &mut String, name: &str, rows: &[CountReport]) -> fmt::Result {
    let recent = format!("last {SLOTS_SHOWN} slots");
    begin_table(out, name, &[&recent, "since start"])?;
    for row in rows {
        if row.total > 0 {
            write_counts(out, &words(row.name), &[row.recent, row.total])?;
        }
    }
    out.write_str("</tbody>\n</table>\n")
}

/// Begins a table of a name and its counts.
fn begin_table(out: &mut String, name: &str, counts: &[&str]) -> fmt::Result {
    write!(out, "<table>\n<thead><tr><th scope=\"col\">{name}</th>")?;
    for count in counts {
        write!(out, "<th scope=\"col\" class=\"count\">{count}</th>")?;
    }
    out.write_str("</tr></thead>\n<tbody>\n")
}

fn write_counts(out: &mut String, name: &str, counts: &[u64]) -> fmt::Result {
    write!(out, "<tr><th scope=\"row\">{name}</th>")?;
    for count in counts {
        write!(out, "<td class=\"count\">{}</td>", Grouped(*count))?;
    }
    out.write_str("</tr>\n")
}

/// Unix time as RFC 3339 writes it.
fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.unwrap_or_default().to_string()
}

/// The part of a time that changes within a day, and its zone.
fn clock(time: &str) -> String {
    let clock = time.split(['T', 'Z']).nth(1).unwrap_or_default();
    format!("{clock} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        let text = "<script>alert('\"&\")</script>\n\u{1b}[2Jé";
        assert_eq!(
            Escaped(text).to_string(),
            "&lt;script&gt;alert(&#39;&quot;&amp;&quot;)&lt;/script&gt;\\n\\u{1b}[2Jé"
        );
    }

    #[test]
    fn numbers_read_well() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(Grouped(number).to_string(), text);
        }
        for (us, text) in [(320, "0.32"), (9_990, "9.99"), (12_345, "12"), (0, "0.00")] {
            assert_eq!(Milliseconds(us).to_string(), text);
        }
        assert_eq!(clock(&time(1_709_251_199)), "23:59:59 UTC");
    }
}
