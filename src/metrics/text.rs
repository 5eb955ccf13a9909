//! Writes metrics as text, in the two forms that Prometheus reads.
//!
//! Source: OpenMetrics 1.0, and "Text-based format" of Prometheus' documentation (version 0.0.4).

use std::fmt::{Display, Write};

use super::durations::DurationCounts;

/// A form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetricsFormat {
    /// OpenMetrics: the names of counters end with `_total`.
    OpenMetrics,
    /// The older form.
    Plain,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricType {
    Gauge,
    Histogram,
    Summary,
}

/// The text as far as it is written.
pub(super) struct MetricsText {
    format: MetricsFormat,
    text: String,
}

/// Names and values of labels.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

impl MetricsText {
    pub(super) fn new(format: MetricsFormat) -> Self {
        Self {
            format,
            text: String::with_capacity(32 << 10),
        }
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == MetricsFormat::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// Begins a metric whose samples follow.
    pub(super) fn begin(&mut self, name: &str, metric_type: MetricType, help: &str) {
        let word = match metric_type {
            MetricType::Gauge => "gauge",
            MetricType::Histogram => "histogram",
            MetricType::Summary => "summary",
        };
        self.head(name, word, help);
    }

    /// Writes one sample. The name ends as the type of the metric asks.
    pub(super) fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.text.push_str(name);
        let mut separator = '{';
        for (label, text) in labels {
            // Writing into a string cannot fail.
            let _ = write!(self.text, "{separator}{label}=\"{}\"", escaped(text));
            separator = ',';
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// Writes a gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, MetricType::Gauge, help);
        self.sample(name, &[], value);
    }

    /// Writes a counter: a sample for each set of labels. The name is without `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, u64)]) {
        self.begin_counter(name, help);
        let total = format!("{name}_total");
        for (labels, value) in samples {
            self.sample(&total, labels, value);
        }
    }

    /// Writes a counter with a name of another program. In the plain form it is there with and without
    /// `_total`: some dashboards read one name, some the other.
    pub(super) fn peer_counter(&mut self, name: &str, help: &str, samples: &[(Labels<'_>, u64)]) {
        if self.format == MetricsFormat::Plain {
            self.head(name, "counter", help);
            for (labels, value) in samples {
                self.sample(name, labels, value);
            }
        }
        self.counter(name, help, samples);
    }

    /// Begins a counter, whose samples follow. The name is without `_total`, theirs with it.
    pub(super) fn begin_counter(&mut self, name: &str, help: &str) {
        if self.format == MetricsFormat::OpenMetrics {
            self.head(name, "counter", help);
        } else {
            self.head(&format!("{name}_total"), "counter", help);
        }
    }

    /// Writes the samples of a histogram of durations, with those buckets that end at these bounds.
    pub(super) fn durations(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        counts: &DurationCounts,
        bounds_seconds: &[f64],
    ) {
        let buckets = counts
            .up_to_seconds()
            .filter(|(bound, _)| bounds_seconds.contains(bound))
            .map(|(bound, count)| (format!("{bound:?}"), count));
        self.buckets(name, labels, buckets, counts.count());
        self.sample(&format!("{name}_sum"), labels, counts.sum_seconds());
        self.sample(&format!("{name}_count"), labels, counts.count());
    }

    /// Writes the buckets of a histogram; `count` is that of all values.
    pub(super) fn buckets(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        up_to: impl Iterator<Item = (String, u64)>,
        count: u64,
    ) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in up_to {
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.sample(&bucket, &labels, count);
        }
        let labels = [labels, &[("le", "+Inf")]].concat();
        self.sample(&bucket, &labels, count);
    }

    /// Writes a counter without labels that is not a whole number.
    pub(super) fn float_counter(&mut self, name: &str, help: &str, value: f64) {
        self.begin_counter(name, help);
        self.sample(&format!("{name}_total"), &[], value);
    }

    /// Writes facts as the labels of a sample whose value is 1. The name is without `_info`.
    pub(super) fn info(&mut self, name: &str, help: &str, labels: Labels<'_>) {
        let info = format!("{name}_info");
        if self.format == MetricsFormat::OpenMetrics {
            self.head(name, "info", help);
        } else {
            self.head(&info, "gauge", help);
        }
        self.sample(&info, labels, 1);
    }

    fn head(&mut self, name: &str, word: &str, help: &str) {
        let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {word}\n");
    }
}

/// Escapes the value of a label.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            c => escaped.push(c),
        }
    }
    escaped
}
