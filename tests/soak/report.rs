//! The figures of the run: a line a minute, a JSON file, and a picture.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fleet::Usage;

/// What is known at the end of a minute (or of a shorter interval in a short run).
#[derive(Debug)]
pub(crate) struct Interval {
    pub(crate) seconds: u64,
    pub(crate) signatures: u64,
    pub(crate) refused: u64,
    pub(crate) excused: u64,
    pub(crate) violations: u64,
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    pub(crate) busy_percent: u64,
    pub(crate) usage: Vec<Option<Usage>>,
    pub(crate) faults: Vec<String>,
}

impl Interval {
    /// The line for the terminal.
    pub(crate) fn line(&self) -> String {
        let usage: Vec<_> = self
            .usage
            .iter()
            .map(|usage| match usage {
                Some(usage) => format!("{} KiB, {} fd", usage.resident_kib, usage.descriptors),
                None => "down".to_owned(),
            })
            .collect();
        format!(
            "{:>5} s: {} signed, {} refused, {} excused, {} violations; p50 {:.1} ms, p99 {:.1} ms; \
             busy {} %; {}; {}",
            self.seconds,
            self.signatures,
            self.refused,
            self.excused,
            self.violations,
            milliseconds(self.median),
            milliseconds(self.p99),
            self.busy_percent,
            usage.join("; "),
            self.faults.join(", ")
        )
    }

    pub(crate) fn json(&self) -> Value {
        let usage: Vec<_> = self
            .usage
            .iter()
            .map(|usage| {
                usage.map(|usage| {
                    json!({
                        "pid": usage.pid,
                        "resident_kib": usage.resident_kib,
                        "descriptors": usage.descriptors,
                    })
                })
            })
            .collect();
        json!({
            "seconds": self.seconds,
            "signatures": self.signatures,
            "refused": self.refused,
            "excused": self.excused,
            "violations": self.violations,
            "p50_ms": milliseconds(self.median),
            "p99_ms": milliseconds(self.p99),
            "busy_percent": self.busy_percent,
            "processes": usage,
            "faults": self.faults,
        })
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

const WIDTH: f64 = 760.0;
const LEFT: f64 = 70.0;
const PLOT_WIDTH: f64 = 670.0;
const PLOT_HEIGHT: f64 = 90.0;
const COLOURS: [&str; 3] = ["#0969da", "#2da44e", "#bf8700"];

/// Draws the run: signatures a second, memory of each signer, time of a signature.
///
/// # Errors
///
/// None in practice: a string can always be written to.
pub(crate) fn svg(
    intervals: &[Interval],
    names: &[&str],
    title: &str,
) -> Result<String, std::fmt::Error> {
    let mut rates = Vec::new();
    let mut previous = 0;
    for interval in intervals {
        let seconds = interval.seconds - previous;
        previous = interval.seconds;
        rates.push(Some(interval.signatures as f64 / seconds.max(1) as f64));
    }
    let memory = (0..names.len()).map(|node| {
        intervals
            .iter()
            .map(|interval| interval.usage[node].map(|usage| usage.resident_kib as f64 / 1024.0))
            .collect::<Vec<_>>()
    });
    let times = [
        intervals
            .iter()
            .map(|i| Some(milliseconds(i.median)))
            .collect(),
        intervals
            .iter()
            .map(|i| Some(milliseconds(i.p99)))
            .collect::<Vec<_>>(),
    ];
    let memory_title = format!("Resident memory in MiB: {}", names.join(", "));
    let plots: [(&str, Vec<Vec<Option<f64>>>); 3] = [
        ("Signatures a second", vec![rates]),
        (&memory_title, memory.collect()),
        ("Time of a signature in ms: median, 99 %", times.to_vec()),
    ];
    let mut svg = String::new();
    let height = 40.0 + 3.0 * (PLOT_HEIGHT + 50.0);
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">{title}</text>"
    )?;
    for (number, (label, lines)) in plots.iter().enumerate() {
        let top = 50.0 + number as f64 * (PLOT_HEIGHT + 50.0);
        plot(&mut svg, top, label, lines)?;
    }
    writeln!(svg, "</svg>")?;
    Ok(svg)
}

/// One plot with its lines and the greatest value.
fn plot(
    svg: &mut String,
    top: f64,
    label: &str,
    lines: &[Vec<Option<f64>>],
) -> Result<(), std::fmt::Error> {
    let greatest = lines
        .iter()
        .flatten()
        .flatten()
        .fold(1e-9, |a: f64, &b| a.max(b));
    let bottom = top + 14.0 + PLOT_HEIGHT;
    writeln!(
        svg,
        "<text x=\"12\" y=\"{:.0}\">{label}</text>\n\
         <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\" fill=\"#57606a\">{greatest:.1}</text>\n\
         <text x=\"{:.0}\" y=\"{bottom:.0}\" text-anchor=\"end\" fill=\"#57606a\">0</text>\n\
         <line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{bottom:.0}\" y2=\"{bottom:.0}\" stroke=\"#d0d7de\"/>",
        top + 2.0,
        LEFT - 6.0,
        top + 22.0,
        LEFT - 6.0,
    )?;
    for (line, colour) in lines.iter().zip(COLOURS) {
        let mut points = String::new();
        let steps = line.len().saturating_sub(1).max(1) as f64;
        for (step, value) in line.iter().enumerate() {
            if let Some(value) = value {
                let x = LEFT + step as f64 / steps * PLOT_WIDTH;
                let y = bottom - value / greatest * PLOT_HEIGHT;
                write!(points, "{x:.1},{y:.1} ")?;
            }
        }
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
            points.trim_end()
        )?;
    }
    Ok(())
}
