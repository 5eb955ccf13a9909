//! `top`: the figures of the running service in a terminal, drawn again each second; once as plain text where
//! standard output is not a terminal.
//!
//! The figures are those of `GET /status`. What they hold of others' text goes through [`one_line`]: a file
//! name must not drive the terminal.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::client::RunningServer;
use crate::cli::error::{StartError, exit};
use crate::cli::output;
use crate::cli::subcommands::TopArguments;
use crate::cli::values::OptionValues;
use crate::log::one_line;
use crate::server::terminal::{self, Terminal, TerminalEvent};
use crate::status::report::{duration, words};

/// Between two drawings.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long one question to the server may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Columns of plain text.
const PLAIN_COLUMNS: usize = 100;

/// Columns of the longest name of a type in a row.
const NAME_COLUMNS: usize = 22;

/// Columns that a row needs with its chart; a narrower terminal has rows without charts.
const CHART_COLUMNS: usize = 76;

/// Bars of a chart, from nothing to the highest.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Shows the figures until Ctrl-C, or once.
///
/// # Errors
/// The server cannot be asked, or shows no figures.
pub(super) fn run(
    values: &OptionValues,
    TopArguments { url }: &TopArguments,
) -> Result<ExitCode, StartError> {
    let server = RunningServer::find(url.as_deref(), values)?;
    let figures = ask(&server)?;
    if !io::stdout().is_terminal() {
        output::print_line(lines(&figures, PLAIN_COLUMNS).join("\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut terminal = Terminal::take();
    let mut shown = Ok(figures);
    loop {
        draw(&shown, &server)?;
        match terminal.wait(INTERVAL) {
            TerminalEvent::Nothing => {}
            TerminalEvent::End => return Ok(ExitCode::SUCCESS),
        }
        shown = ask(&server);
    }
}

/// Asks the server for its figures.
fn ask(server: &RunningServer) -> Result<Value, StartError> {
    let answer = server.ask("GET /status", None, "", ANSWER_TIMEOUT);
    let (status, body) = answer.map_err(|error| {
        StartError::new(exit::UNAVAILABLE, format!("{server}: {error}"))
            .hint("is it running, and there? Give --data-dir or --url as for healthcheck")
    })?;
    let json: Value = serde_json::from_str(&body).unwrap_or_default();
    if status == 200 && json["state"].is_string() {
        return Ok(json);
    }
    let message = match json["message"].as_str() {
        Some(message) => one_line(message),
        None => format!("it answered {status}"),
    };
    Err(
        StartError::new(exit::UNAVAILABLE, format!("{server}: {message}")).hint(
            "the control socket asks for no token: run this as the user of the service, with its --data-dir",
        ),
    )
}

/// Draws over the last drawing. Without an answer it shows that: the service may come back.
fn draw(shown: &Result<Value, StartError>, server: &RunningServer) -> Result<(), StartError> {
    let (columns, rows) = terminal::size();
    let mut text = match shown {
        Ok(figures) => lines(figures, columns),
        Err(error) => vec![format!("{server} does not answer"), error.message.clone()],
    };
    text.truncate(rows.saturating_sub(1).max(1));
    let mut drawing = String::from("\x1b[H");
    for line in &text {
        // Erases old text to the end of each line and below the last one.
        let _ = write!(drawing, "{}\x1b[K\r\n", cut(line, columns));
    }
    drawing.push_str("\x1b[J");
    output::print(drawing)
}

/// Returns the figures as lines, none of which is longer than so many columns.
fn lines(figures: &Value, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    add_state(&mut lines, figures);
    lines.push(String::new());
    add_numbers(&mut lines, figures);
    lines.push(String::new());
    add_types(&mut lines, figures, columns);
    add_lateness(&mut lines, figures);
    add_refusals(&mut lines, figures);
    add_warnings(&mut lines, figures);
    for line in &mut lines {
        *line = cut(line, columns);
    }
    lines
}

fn add_state(lines: &mut Vec<String>, figures: &Value) {
    let mut head = format!(
        "signerd {}  {}",
        text(&figures["version"]),
        text(&figures["network"])
    );
    if let Some(slot) = figures["slot"].as_u64() {
        let _ = write!(head, "  slot {slot}, epoch {}", number(&figures["epoch"]));
    }
    let _ = write!(
        head,
        "  up {}",
        duration(number(&figures["uptime_seconds"]))
    );
    lines.push(head);
    lines.push(text(&figures["state"]).to_uppercase());
    for finding in rows(&figures["findings"]) {
        lines.push(format!("  {}", text(&finding["text"])));
    }
}

fn add_numbers(lines: &mut Vec<String>, figures: &Value) {
    let keys = &figures["keys"];
    let pending = keys["pending"]
        .as_u64()
        .map_or("…".to_owned(), |pending| pending.to_string());
    lines.push(format!(
        "keys         {} loaded, {pending} pending, {} failed",
        number(&keys["loaded"]),
        number(&keys["failed"])
    ));
    for failure in rows(&keys["failures"]) {
        lines.push(format!(
            "  {}: {}",
            text(&failure["file"]),
            text(&failure["reason"])
        ));
    }
    add_protection(lines, &figures["slashing_protection"]);
    let latency = &figures["signatures"]["latency_ms"];
    if let (Some(p50), Some(p99)) = (latency["p50"].as_f64(), latency["p99"].as_f64()) {
        lines.push(format!("a signature  median {p50:.2} ms, p99 {p99:.2} ms"));
    }
    let connections = &figures["connections"];
    let mut line = format!("connections  {}", number(&connections["open"]));
    for client in rows(&connections["by_client"]) {
        let _ = write!(
            line,
            "  {} × {}",
            number(&client["connections"]),
            text(&client["client"])
        );
    }
    lines.push(line);
    let duplicates = &figures["duplicate_uses"];
    if number(&duplicates["count"]) > 0 {
        lines.push(format!(
            "two clients  {} keys and epochs",
            number(&duplicates["count"])
        ));
    }
    for row in rows(&duplicates["keys"]) {
        lines.push(format!(
            "  {} by {} and {}, {} ago",
            text(&row["key"]),
            text(&row["clients"][0]),
            text(&row["clients"][1]),
            duration(number(&row["seconds_ago"]))
        ));
    }
}

fn add_protection(lines: &mut Vec<String>, protection: &Value) {
    let store = match protection["store"].as_str() {
        None => "off".to_owned(),
        Some(store) => format!("on, records in a {store}"),
    };
    let record = match protection["last_record_seconds"].as_u64() {
        None => String::new(),
        Some(seconds) => format!(", last record {} ago", duration(seconds)),
    };
    lines.push(format!(
        "protection   {store}; {} permitted, {} prevented{record}",
        number(&protection["permitted"]),
        number(&protection["prevented"])
    ));
    for row in rows(&protection["rules"]) {
        if number(&row["total"]) > 0 {
            lines.push(format!(
                "  {:NAME_COLUMNS$} {} in the last slots, {} since the start",
                words(&text(&row["rule"])),
                number(&row["recent"]),
                number(&row["total"])
            ));
        }
    }
}

fn add_types(lines: &mut Vec<String>, figures: &Value, columns: usize) {
    let signatures = &figures["signatures"];
    let slots = format!("last {} slots", number(&signatures["slots"]));
    let has_charts = columns >= CHART_COLUMNS;
    lines.push(if has_charts {
        format!(
            "{:NAME_COLUMNS$}  {slots:32}  {:>7}  {:>9}",
            "signatures", "in these", "since start"
        )
    } else {
        format!(
            "{:NAME_COLUMNS$}  {slots:>13}  {:>9}",
            "signatures", "since start"
        )
    });
    let mut is_empty = true;
    for row in rows(&signatures["types"]) {
        let total = number(&row["total"]);
        if total == 0 {
            continue;
        }
        is_empty = false;
        let name = cut(&words(&text(&row["type"])), NAME_COLUMNS);
        let recent = number(&row["recent"]);
        lines.push(if has_charts {
            let chart = chart(&row["per_slot"]);
            format!("{name:NAME_COLUMNS$}  {chart:32}  {recent:>8}  {total:>11}")
        } else {
            format!("{name:NAME_COLUMNS$}  {recent:>13}  {total:>11}")
        });
    }
    if is_empty {
        lines.push("  none yet".to_owned());
    }
}

/// How late the messages of each type were asked for.
fn add_lateness(lines: &mut Vec<String>, figures: &Value) {
    let mut late = Vec::new();
    for row in rows(&figures["lateness"]) {
        let within = &row["within_ms"];
        if within.is_null() {
            continue;
        }
        let name = cut(&words(&text(&row["type"])), NAME_COLUMNS);
        let seconds = |bound: &Value| format!("{} s", number(bound) as f64 / 1000.0);
        late.push(format!(
            "  {name:NAME_COLUMNS$}{:>13}  {:>11}",
            seconds(&within["p50"]),
            seconds(&within["p99"])
        ));
    }
    if !late.is_empty() {
        lines.push(String::new());
        lines.push("lateness of requests: half, and 99 %, came within".to_owned());
        lines.append(&mut late);
    }
}

fn add_refusals(lines: &mut Vec<String>, figures: &Value) {
    let mut refused = Vec::new();
    for row in rows(&figures["refusals"]) {
        if number(&row["total"]) > 0 {
            refused.push(format!(
                "  {:NAME_COLUMNS$}{:>13}  {:>11}",
                words(&text(&row["reason"])),
                number(&row["recent"]),
                number(&row["total"])
            ));
        }
    }
    if !refused.is_empty() {
        lines.push(String::new());
        lines.push("refused requests, in the last slots and since the start".to_owned());
        lines.append(&mut refused);
    }
}

fn add_warnings(lines: &mut Vec<String>, figures: &Value) {
    let warnings = &figures["warnings"];
    let count = number(&warnings["count"]);
    if count == 0 {
        return;
    }
    lines.push(String::new());
    lines.push(format!("warnings in the log: {count}"));
    let now = number(&figures["time"]);
    for line in rows(&warnings["lines"]) {
        let ago = duration(now.saturating_sub(number(&line["time"])));
        lines.push(format!(
            "  {ago} ago  {}  {}",
            text(&line["level"]),
            text(&line["message"])
        ));
    }
}

/// One character for each slot; the highest one has the full height.
fn chart(per_slot: &Value) -> String {
    let counts: Vec<u64> = rows(per_slot).iter().map(number).collect();
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let heights = BARS.len() as u64 - 1;
    let mut chart = String::new();
    for count in counts {
        let height = (count * heights).div_ceil(most);
        let bar = usize::try_from(height)
            .ok()
            .and_then(|height| BARS.get(height));
        chart.push(*bar.unwrap_or(&BARS[0]));
    }
    chart
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Text that cannot drive the terminal.
fn text(value: &Value) -> String {
    one_line(value.as_str().unwrap_or_default())
}

/// Returns the line, or as much of it as fits.
fn cut(line: &str, columns: usize) -> String {
    if line.chars().count() <= columns {
        return line.trim_end().to_owned();
    }
    let mut cut: String = line.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_chart_has_the_highest_slot_at_full_height_and_shows_every_signature() {
        assert_eq!(chart(&json!([0, 1, 50, 100])), " ▁▄█");
        assert_eq!(chart(&json!([0, 0])), "  ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_text_drives_it() {
        let figures = json!({
            "version": "1", "network": "mainnet", "state": "problem",
            "findings": [{"text": "1 keystore did not open."}],
            "keys": {"failures": [{"file": "\u{1b}[2J\nx", "reason": "é".repeat(300)}]},
            "signatures": {"types": [{"type": "ATTESTATION", "total": 3, "per_slot": [1, 2]}]},
        });
        for columns in [1, 20, 40, 75, 76, 200] {
            for line in lines(&figures, columns) {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
                assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
        assert!(lines(&figures, 76).iter().any(|line| line.contains('█')));
        assert!(!lines(&figures, 75).iter().any(|line| line.contains('█')));
    }
}
