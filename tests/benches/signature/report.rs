//! Figures: medians with the smallest and the largest, and their budgets.

use serde_json::{Value, json};

/// All scenarios of a run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) raw_us: Vec<f64>,
    pub(crate) rows: Vec<Row>,
}

/// One scenario: a sample a round.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) samples: Vec<f64>,
    /// The largest median that DESIGN.md allows.
    pub(crate) budget: Option<f64>,
}

/// A multiple of the CPU time of blst's own signature.
pub(crate) const TIMES_RAW: &str = "× raw";

impl Report {
    /// Adds a sample to the scenario of this name.
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        unit: &'static str,
        budget: Option<f64>,
        sample: f64,
    ) {
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

    pub(crate) fn print(&self) {
        let mut raw = self.raw_us.clone();
        println!(
            "the whole server over loopback; blst's sign and compression, raw: {:.1} µs of CPU",
            median(&mut raw)
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
        let all = json!({"raw_us": median(&mut raw), "scenarios": rows});
        let text = serde_json::to_string_pretty(&all).expect("plain values");
        std::fs::write(file, text + "\n").expect("the file can be written");
    }
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
