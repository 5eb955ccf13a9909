//! The formats of a log line as JSON objects. The names of the formats of log4j are those of its
//! `JsonTemplateLayout`, which Web3Signer uses: `EcsLayout`, `GcpLayout`, `LogstashJsonEventLayoutV1` and
//! `GelfLayout`.
//!
//! A line may have fields beside its message, such as those of the access log. Each format has names for
//! them: those of the Elastic Common Schema; `httpRequest` and the trace of Google's `LogEntry`; the context
//! (`mdc`) of log4j elsewhere.

use std::fs;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jiff::Timestamp;
use log::kv::{Error, Key, Value as FieldValue, VisitSource};
use log::{Level, Record};
use serde_json::{Map, Value, json};

use super::LogFormat;

/// One line of the log.
pub(super) struct LogLine<'l> {
    pub(super) level: Level,
    pub(super) target: &'l str,
    pub(super) message: &'l str,
    pub(super) time: Timestamp,
    /// The place in the source, where it is known.
    pub(super) place: Option<(&'l str, u32)>,
    pub(super) fields: Vec<(String, Value)>,
}

/// The names of fields in the Elastic Common Schema. The others are labels.
const ECS_NAMES: [(&str, &str); 11] = [
    ("client", "client.address"),
    ("user", "user.id"),
    ("certificate", "tls.client.hash.sha256"),
    ("method", "http.request.method"),
    ("path", "url.path"),
    ("status", "http.response.status_code"),
    ("bytes", "http.response.body.bytes"),
    ("user_agent", "user_agent.original"),
    ("request_id", "http.request.id"),
    ("trace_id", "trace.id"),
    ("span_id", "span.id"),
];

/// The names of fields in Google's `HttpRequest`.
const GCP_REQUEST_NAMES: [(&str, &str); 6] = [
    ("client", "remoteIp"),
    ("method", "requestMethod"),
    ("path", "requestUrl"),
    ("status", "status"),
    ("bytes", "responseSize"),
    ("user_agent", "userAgent"),
];

/// The target of the lines of the access log.
const ACCESS_TARGET: &str = "signerd::access";

/// The fields that a plain line of the access log has in its message already.
const IN_MESSAGE: [&str; 5] = ["client", "method", "path", "status", "bytes"];

impl LogLine<'_> {
    /// Returns the line as a JSON object.
    pub(super) fn json(self, format: LogFormat) -> Value {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("connection");
        let Self {
            level,
            target,
            message,
            time,
            place,
            fields,
        } = self;
        let mut object = match format {
            LogFormat::Plain | LogFormat::Json => json!({
                "time": format!("{time:.0}"),
                "level": level.as_str(),
                "target": target,
                "message": message,
            }),
            LogFormat::Ecs => json!({
                "@timestamp": format!("{time:.3}"),
                "ecs.version": "1.2.0",
                "log.level": level.as_str(),
                "message": message,
                "process.thread.name": thread,
                "log.logger": target,
            }),
            LogFormat::Gcp => json!({
                "timestamp": format!("{time:.9}"),
                "severity": match level {
                    Level::Error => "ERROR",
                    Level::Warn => "WARNING",
                    Level::Info => "INFO",
                    Level::Debug | Level::Trace => "DEBUG",
                },
                "message": message,
                "logging.googleapis.com/insertId": insert_id(),
                "_thread": thread,
                "_logger": target,
            }),
            LogFormat::Logstash => json!({
                "@timestamp": format!("{time:.3}"),
                "@version": 1,
                "level": level.as_str(),
                "message": message,
                "thread_name": thread,
                "logger_name": target,
                "source_host": host(),
            }),
            LogFormat::Gelf => json!({
                "version": "1.1",
                "host": host(),
                "short_message": message,
                "timestamp": time.as_millisecond() as f64 / 1000.0,
                "level": super::syslog_severity(level),
                "_logger": target,
                "_thread": thread,
            }),
        };
        if let Value::Object(object) = &mut object {
            if let Some((file, line)) = place {
                add_place(object, format, file, line);
            }
            add_fields(object, format, fields);
        }
        object
    }

    /// Returns the fields that follow the message of a plain line: ` name=value`.
    pub(super) fn plain_fields(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            if self.target == ACCESS_TARGET && IN_MESSAGE.contains(&name.as_str()) {
                continue;
            }
            let value = match value {
                // Quotes and escapes keep a text from looking like another field.
                Value::String(value) if !is_word(value) => format!("{value:?}"),
                Value::String(value) => value.clone(),
                Value::Number(number) => number.to_string(),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => continue,
            };
            text.push_str(&format!(" {name}={value}"));
        }
        text
    }
}

/// Returns the fields of a record.
pub(super) fn fields_of(record: &Record<'_>) -> Vec<(String, Value)> {
    struct Collect(Vec<(String, Value)>);
    impl<'kvs> VisitSource<'kvs> for Collect {
        fn visit_pair(&mut self, key: Key<'kvs>, value: FieldValue<'kvs>) -> Result<(), Error> {
            let value = match value.to_u64() {
                Some(number) => number.into(),
                None => value.to_string().into(),
            };
            self.0.push((key.as_str().to_owned(), value));
            Ok(())
        }
    }
    let mut fields = Collect(Vec::new());
    // Nothing that is visited fails.
    let _ = record.key_values().visit(&mut fields);
    fields.0
}

fn add_place(object: &mut Map<String, Value>, format: LogFormat, file: &str, line: u32) {
    match format {
        LogFormat::Gcp => {
            let place = json!({"file": file, "line": line});
            object.insert("logging.googleapis.com/sourceLocation".to_owned(), place);
        }
        LogFormat::Logstash => {
            object.insert("file".to_owned(), file.into());
            object.insert("line_number".to_owned(), line.into());
        }
        LogFormat::Plain | LogFormat::Json | LogFormat::Ecs | LogFormat::Gelf => {}
    }
}

fn add_fields(object: &mut Map<String, Value>, format: LogFormat, fields: Vec<(String, Value)>) {
    let mut nested = Map::new();
    let mut request = Map::new();
    for (name, value) in fields {
        match format {
            LogFormat::Plain | LogFormat::Json => {
                object.insert(name, value);
            }
            LogFormat::Ecs => match (renamed(&ECS_NAMES, &name), value.as_u64()) {
                // In nanoseconds.
                (None, Some(us)) if name == "duration_us" => {
                    object.insert("event.duration".to_owned(), us.saturating_mul(1000).into());
                }
                (Some(known), _) => {
                    object.insert(known.to_owned(), value);
                }
                (None, _) => {
                    object.insert(format!("labels.{name}"), value);
                }
            },
            LogFormat::Gcp => match (renamed(&GCP_REQUEST_NAMES, &name), name.as_str()) {
                (Some(known), _) => {
                    request.insert(known.to_owned(), value);
                }
                (None, "duration_us") => {
                    let seconds = value.as_f64().unwrap_or_default() / 1e6;
                    request.insert("latency".to_owned(), format!("{seconds:.6}s").into());
                }
                (None, "trace_id") => {
                    object.insert("logging.googleapis.com/trace".to_owned(), value);
                }
                (None, "span_id") => {
                    object.insert("logging.googleapis.com/spanId".to_owned(), value);
                }
                (None, _) => {
                    nested.insert(name, as_text(value));
                }
            },
            LogFormat::Logstash => {
                nested.insert(name, value);
            }
            LogFormat::Gelf => {
                object.insert(format!("_{name}"), value);
            }
        }
    }
    if !request.is_empty() {
        object.insert("httpRequest".to_owned(), request.into());
    }
    if !nested.is_empty() {
        let name = if format == LogFormat::Gcp {
            "logging.googleapis.com/labels"
        } else {
            "mdc"
        };
        object.insert(name.to_owned(), nested.into());
    }
}

fn renamed(names: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let (_, renamed) = names.iter().find(|(own, _)| *own == name)?;
    Some(renamed)
}

/// Labels of Google's `LogEntry` are texts.
fn as_text(value: Value) -> Value {
    if value.is_string() {
        return value;
    }
    value.to_string().into()
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'=' | b'\\'))
}

/// Counts the lines, so that two of the same time are not taken for one.
fn insert_id() -> String {
    static LINES: AtomicU64 = AtomicU64::new(0);
    LINES.fetch_add(1, Ordering::Relaxed).to_string()
}

/// The name of this host, read once.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| match fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => name.trim().to_owned(),
        Err(_) => "localhost".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [LogFormat; 5] = [
        LogFormat::Json,
        LogFormat::Ecs,
        LogFormat::Gcp,
        LogFormat::Logstash,
        LogFormat::Gelf,
    ];

    fn line(fields: &[(&str, Value)]) -> LogLine<'static> {
        let mut owned = Vec::new();
        for (name, value) in fields {
            owned.push(((*name).to_owned(), value.clone()));
        }
        LogLine {
            level: Level::Warn,
            target: "signerd",
            message: "text",
            time: "2026-01-02T03:04:05.678Z".parse().expect("a time"),
            place: Some(("src/log.rs", 7)),
            fields: owned,
        }
    }

    #[test]
    fn each_format_has_the_fields_that_its_readers_look_for() {
        for (format, fields) in [
            (
                LogFormat::Json,
                json!({"time": "2026-01-02T03:04:05Z", "level": "WARN", "target": "signerd"}),
            ),
            (
                LogFormat::Ecs,
                json!({"@timestamp": "2026-01-02T03:04:05.678Z", "log.level": "WARN",
                       "ecs.version": "1.2.0", "log.logger": "signerd"}),
            ),
            (
                LogFormat::Gcp,
                json!({"timestamp": "2026-01-02T03:04:05.678000000Z", "severity": "WARNING",
                       "logging.googleapis.com/sourceLocation": {"file": "src/log.rs", "line": 7}}),
            ),
            (
                LogFormat::Logstash,
                json!({"@timestamp": "2026-01-02T03:04:05.678Z", "@version": 1, "level": "WARN",
                       "logger_name": "signerd", "file": "src/log.rs", "line_number": 7}),
            ),
            (
                LogFormat::Gelf,
                json!({"version": "1.1", "timestamp": 1767323045.678, "level": 4,
                       "short_message": "text"}),
            ),
        ] {
            let line = line(&[]).json(format);
            for (name, value) in fields.as_object().expect("an object") {
                assert_eq!(&line[name], value, "{format:?}: {name}");
            }
        }
    }

    #[test]
    fn fields_of_a_line_have_the_names_of_the_format() {
        let fields = [
            ("client", json!("192.0.2.1")),
            ("method", json!("POST")),
            ("status", json!(200)),
            ("duration_us", json!(312)),
            ("type", json!("ATTESTATION")),
            ("user_agent", json!("Lighthouse/v8")),
            ("request_id", json!("id-1")),
            ("trace_id", json!("4bf9")),
            ("span_id", json!("00f0")),
        ];
        for (format, expected) in [
            (
                LogFormat::Json,
                json!({"status": 200, "duration_us": 312, "request_id": "id-1", "trace_id": "4bf9"}),
            ),
            (
                LogFormat::Ecs,
                json!({"client.address": "192.0.2.1", "http.request.method": "POST",
                       "http.response.status_code": 200, "event.duration": 312_000,
                       "labels.type": "ATTESTATION", "user_agent.original": "Lighthouse/v8",
                       "http.request.id": "id-1", "trace.id": "4bf9", "span.id": "00f0"}),
            ),
            (
                LogFormat::Gcp,
                json!({"httpRequest": {"remoteIp": "192.0.2.1", "requestMethod": "POST", "status": 200,
                                       "latency": "0.000312s", "userAgent": "Lighthouse/v8"},
                       "logging.googleapis.com/trace": "4bf9", "logging.googleapis.com/spanId": "00f0",
                       "logging.googleapis.com/labels": {"type": "ATTESTATION", "request_id": "id-1"}}),
            ),
            (
                LogFormat::Gelf,
                json!({"_client": "192.0.2.1", "_status": 200, "_duration_us": 312, "_trace_id": "4bf9"}),
            ),
        ] {
            let line = line(&fields).json(format);
            for (name, value) in expected.as_object().expect("an object") {
                assert_eq!(&line[name], value, "{format:?}: {name}");
            }
        }
        let logstash = line(&fields).json(LogFormat::Logstash);
        assert_eq!(logstash["mdc"]["trace_id"], "4bf9");
        assert_eq!(logstash["mdc"]["status"], 200);
    }

    #[test]
    fn no_format_loses_a_field_or_gives_its_name_twice() {
        let names = [
            "client", "status", "bytes", "type", "key", "user", "trace_id",
        ];
        for format in FORMATS {
            let plain = line(&[]).json(format).to_string();
            for name in names {
                let with = line(&[(name, json!("v-a-l-u-e"))]).json(format).to_string();
                assert_eq!(
                    with.matches("v-a-l-u-e").count(),
                    1,
                    "{format:?} {name}: {with}"
                );
                assert!(with.len() > plain.len());
            }
        }
    }

    #[test]
    fn a_field_of_a_plain_line_cannot_look_like_another_one() {
        for (value, shown) in [
            (json!("Lighthouse/v8.0.1"), " agent=Lighthouse/v8.0.1"),
            (json!("a b"), " agent=\"a b\""),
            (json!("x status=500"), " agent=\"x status=500\""),
            (json!("x=1"), " agent=\"x=1\""),
            (json!("\"q\""), " agent=\"\\\"q\\\"\""),
            (json!("\u{1b}[2J\t"), " agent=\"\\u{1b}[2J\\t\""),
            (json!(""), " agent=\"\""),
            (json!(7), " agent=7"),
        ] {
            assert_eq!(line(&[("agent", value)]).plain_fields(), shown);
        }
        let mut access = line(&[
            ("status", json!(200)),
            ("bytes", json!(1)),
            ("key", json!("0x")),
        ]);
        assert_eq!(access.plain_fields(), " status=200 bytes=1 key=0x");
        access.target = ACCESS_TARGET;
        assert_eq!(access.plain_fields(), " key=0x");
    }
}
