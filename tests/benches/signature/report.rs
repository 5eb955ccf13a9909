//! Figures: medians with the smallest and the largest, and their budgets.

use std::fs;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

/// All scenarios of a run.
pub(crate) struct Report {
    /// Only scenarios whose names contain this are run.
    only: String,
    pub(crate) raw_us: Vec<f64>,
    rows: Vec<Row>,
}

/// One scenario: a sample a round.
struct Row {
    name: &'static str,
    unit: &'static str,
    samples: Vec<f64>,
    /// The largest median that DESIGN.md allows.
    budget: Option<f64>,
}

/// A multiple of the CPU time of blst's own signature.
pub(crate) const TIMES_RAW: &str = "× raw";

/// How much more than the mean the most expensive of several scenarios may cost that should cost the same.
const FLAT: f64 = 1.03;

impl Report {
    /// An empty report of the scenarios whose names contain `only`.
    pub(crate) fn of(only: &str) -> Self {
        Self {
            only: only.to_owned(),
            raw_us: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Runs a scenario and adds its sample to the others of this name.
    pub(crate) fn take(
        &mut self,
        name: &'static str,
        unit: &'static str,
        budget: Option<f64>,
        run: impl FnOnce(&mut Self) -> f64,
    ) {
        if !name.contains(&self.only) {
            return;
        }
        let sample = run(self);
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.samples.push(sample),
            None => self.rows.push(Row {
                name,
                unit,
                samples: vec![sample],
                budget,
            }),
        }
    }

    /// Adds the largest median of these scenarios, as a multiple of the mean of their medians.
    pub(crate) fn compare(&mut self, name: &'static str, names: &[&str]) {
        let medians = Vec::from_iter(
            self.rows
                .iter()
                .filter(|row| names.contains(&row.name))
                .map(|row| row.spread().0),
        );
        let mean = medians.iter().sum::<f64>() / medians.len() as f64;
        let largest = medians.iter().fold(0.0, |most: f64, one| most.max(*one));
        self.take(name, "×", Some(FLAT), |_| largest / mean);
    }

    pub(crate) fn print(&self) {
        let mut raw = self.raw_us.clone();
        let middle = median(&mut raw);
        println!(
            "the whole server over loopback; blst's sign and compression, raw: {middle:.1} µs of CPU \
             [{:.1} .. {:.1}]",
            raw[0],
            raw[raw.len() - 1]
        );
        for row in &self.rows {
            let (median, least, most) = row.spread();
            let verdict = match row.budget {
                Some(budget) if median <= budget => format!("ok    (budget {budget})"),
                Some(budget) => format!("over  (budget {budget})"),
                None => String::new(),
            };
            println!(
                "  {:<42} {median:>8.3} {:<6} [{least:.3} .. {most:.3}]  {verdict}",
                row.name, row.unit
            );
        }
    }

    pub(crate) fn write_json(&self, file: &str) {
        let mut raw = self.raw_us.clone();
        let mut rows: Vec<Value> = Vec::new();
        for row in &self.rows {
            let (median, least, most) = row.spread();
            rows.push(json!({
                "name": row.name, "unit": row.unit, "median": median, "min": least, "max": most,
                "budget": row.budget, "ok": row.budget.map(|budget| median <= budget),
            }));
        }
        let all = json!({
            "date": today(), "processor": processor(), "raw_us": median(&mut raw), "scenarios": rows,
        });
        let text = serde_json::to_string_pretty(&all).expect("plain values");
        fs::write(file, text + "\n").expect("the file can be written");
    }
}

/// The day in UTC.
fn today() -> String {
    let date = Command::new("date").args(["-u", "+%F"]).output();
    let date = date.expect("every Linux has date").stdout;
    String::from_utf8_lossy(&date).trim().to_owned()
}

/// How many cores of which processor this is (proc_cpuinfo(5)).
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").expect("/proc is mounted");
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, model)| model);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}")
}

impl Row {
    fn spread(&self) -> (f64, f64, f64) {
        let mut samples = self.samples.clone();
        let median = median(&mut samples);
        (median, samples[0], samples[samples.len() - 1])
    }
}

/// The middle of these samples, which are sorted by it.
pub(crate) fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
