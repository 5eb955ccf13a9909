//! How to reach the database: the URL forms of JDBC and of libpq, and options that complete them.
//!
//! `jdbc:postgresql://host[:port][,host[:port]…]/database[?name=value&…]`, `jdbc:postgresql:database`, and
//! the same without `jdbc:`. Parameters that do not matter here are reported once and ignored. With `jdbc:`
//! a plus sign in a parameter is a space, as for Java's URLDecoder; without it, a plus sign, as for libpq.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

/// The port of PostgreSQL where the URL names none.
const DEFAULT_PORT: u16 = 5432;

/// One attempt to reach one host. Clients wait 5 s for a signature.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1000);

/// One batch of statements, from the first byte sent to the last one read.
const SOCKET_TIMEOUT: Duration = Duration::from_millis(2000);

/// The longest time-outs that a URL may ask for.
const TIMEOUT_SECONDS_MAX: u64 = 60;

/// How a connection is encrypted, and what of the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted when the server refuses a plain connection.
    Allow,
    /// Encrypted when the server can; the certificate is not checked.
    Prefer,
    /// Encrypted; the certificate is not checked.
    Require,
    /// Encrypted; the certificate is of a known CA.
    VerifyCa,
    /// Encrypted; the certificate is of a known CA and names the host.
    VerifyFull,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseHost {
    /// A name, an address, or the directory of a Unix socket.
    pub name: String,
    /// Its port.
    pub port: u16,
}

/// A checked database URL with its options.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// The servers, in the order in which they are tried.
    pub hosts: Vec<DatabaseHost>,
    /// The database.
    pub database: String,
    /// The role.
    pub user: String,
    /// The password, where there is one.
    pub password: Option<Zeroizing<String>>,
    /// Encryption.
    pub ssl_mode: SslMode,
    /// Whether `ssl_mode` was chosen by `sslmode`.
    has_ssl_mode: bool,
    /// CA certificates (PEM); `None` uses those of the system for the modes that check.
    pub ssl_root_cert: Option<PathBuf>,
    /// Our certificate chain (PEM) and key (PEM or DER), where the server asks for one.
    pub ssl_identity: Option<(PathBuf, PathBuf)>,
    /// The schema of the tables, where it is not the role's default.
    pub schema: Option<String>,
    /// The name that the server shows for our connections.
    pub application_name: String,
    /// For each host.
    pub connect_timeout: Duration,
    /// For one batch of statements.
    pub socket_timeout: Duration,
    /// How often an idle connection is checked.
    pub health_interval: Duration,
    /// For one check of an idle connection; without it, as for any statement.
    pub health_timeout: Option<Duration>,
    /// What is ignored, for the log.
    pub notices: Vec<String>,
    /// The parameter `port`, for all hosts.
    default_port: Option<u16>,
}

impl DatabaseSettings {
    /// Reads a URL. Errors never repeat a password.
    ///
    /// # Errors
    /// What is wrong, for the operator.
    pub fn from_url(url: &str) -> Result<Self, String> {
        let is_jdbc = url.starts_with("jdbc:");
        let rest = url.strip_prefix("jdbc:").unwrap_or(url);
        let rest = rest
            .strip_prefix("postgresql:")
            .or_else(|| rest.strip_prefix("postgres:"))
            .ok_or(
                "expected jdbc:postgresql://HOST:PORT/DATABASE or postgresql://HOST:PORT/DATABASE",
            )?;
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut settings = Self::default();
        match location.strip_prefix("//") {
            Some(location) => settings.read_location(location)?,
            None => settings.database = database_name(location.trim_start_matches('/'))?,
        }
        for parameter in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = if is_jdbc {
                decode(&value.replace('+', " "))?
            } else {
                decode(value)?
            };
            settings.set(&decode(name)?, &value)?;
        }
        settings.check_client_certificate()?;
        if settings.hosts.is_empty() {
            settings.hosts.push(host("localhost")?);
        }
        if let Some(port) = settings.default_port {
            for host in &mut settings.hosts {
                host.port = port;
            }
        }
        Ok(settings)
    }

    fn read_location(&mut self, location: &str) -> Result<(), String> {
        let (authority, database) = location.split_once('/').unwrap_or((location, ""));
        self.database = database_name(database)?;
        let hosts = match authority.rsplit_once('@') {
            None => authority,
            Some((credentials, hosts)) => {
                let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
                self.user = decode(user)?;
                if !password.is_empty() {
                    self.password = Some(Zeroizing::new(decode(password)?));
                }
                hosts
            }
        };
        for name in hosts.split(',').filter(|name| !name.is_empty()) {
            self.hosts.push(host(&decode(name)?)?);
        }
        Ok(())
    }

    fn check_client_certificate(&self) -> Result<(), String> {
        match &self.ssl_identity {
            Some((certificate, key))
                if certificate.as_os_str().is_empty() || key.as_os_str().is_empty() =>
            {
                Err("sslcert and sslkey: expected both or none".to_owned())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Sets one parameter of the URL or of a file of properties.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let seconds = || {
            let parsed = value
                .parse()
                .ok()
                .filter(|seconds| *seconds <= TIMEOUT_SECONDS_MAX);
            parsed.ok_or_else(|| {
                format!(
                    "{name}: expected 0 to {TIMEOUT_SECONDS_MAX} seconds, got {}",
                    shown(value)
                )
            })
        };
        match name {
            "user" => self.user = value.to_owned(),
            "password" => self.password = Some(Zeroizing::new(value.to_owned())),
            // An `sslmode` before or after it takes precedence.
            "ssl" if matches!(value, "" | "true") && !self.has_ssl_mode => {
                self.ssl_mode = SslMode::VerifyFull;
            }
            "ssl" => {}
            "sslmode" => {
                self.ssl_mode = ssl_mode(value)?;
                self.has_ssl_mode = true;
            }
            // JDBC had this before it had `sslmode=require`.
            "sslfactory" if value.ends_with(".NonValidatingFactory") => {
                if !self.has_ssl_mode {
                    self.ssl_mode = SslMode::Require;
                    self.has_ssl_mode = true;
                }
            }
            "sslrootcert" => {
                self.ssl_root_cert = Some(value)
                    .filter(|value| *value != "system")
                    .map(PathBuf::from)
            }
            "sslcert" => self.ssl_identity.get_or_insert_default().0 = value.into(),
            "sslkey" => self.ssl_identity.get_or_insert_default().1 = value.into(),
            "targetServerType" | "target_session_attrs" => check_server_type(name, value)?,
            "currentSchema" => self.schema = Some(value.to_owned()),
            "ApplicationName" | "application_name" => self.application_name = value.to_owned(),
            // Zero means no limit in JDBC. A signature cannot wait that long.
            "connectTimeout" | "connect_timeout" | "loginTimeout" => match seconds()? {
                0 => {}
                seconds => self.connect_timeout = Duration::from_secs(seconds),
            },
            "socketTimeout" => match seconds()? {
                0 => {}
                seconds => self.socket_timeout = Duration::from_secs(seconds),
            },
            "host" => {
                self.hosts.clear();
                for name in value.split(',').filter(|name| !name.is_empty()) {
                    self.hosts.push(host(name)?);
                }
            }
            "port" => self.default_port = Some(port(value)?),
            "dbname" => self.database = value.to_owned(),
            other => self
                .notices
                .push(format!("database parameter {other} is ignored")),
        }
        Ok(())
    }

    /// Reads a file of connection pool properties as Web3Signer takes it: lines of `name=value`.
    ///
    /// # Errors
    /// What is wrong, for the operator.
    pub fn apply_pool_properties(&mut self, text: &str) -> Result<(), String> {
        let mut ignored = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
            let name = name.trim();
            let value = value.trim();
            match name.strip_prefix("dataSource.").unwrap_or(name) {
                "connectionTimeout" => {
                    let timeout_ms = value.parse::<u64>().map_err(|_| {
                        format!(
                            "connectionTimeout: expected milliseconds, got {}",
                            shown(value)
                        )
                    })?;
                    self.connect_timeout = Duration::from_millis(timeout_ms)
                        .clamp(Duration::from_millis(100), CONNECT_TIMEOUT);
                }
                "schema" => self.schema = Some(value.to_owned()),
                "username" => self.user = value.to_owned(),
                "user" | "password" | "currentSchema" | "connectTimeout" | "socketTimeout"
                | "sslmode" | "ssl" | "sslrootcert" | "sslcert" | "sslkey" | "targetServerType"
                | "ApplicationName" => {
                    self.set(name.strip_prefix("dataSource.").unwrap_or(name), value)?;
                }
                _ => ignored.push(name.to_owned()),
            }
        }
        self.check_client_certificate()?;
        if !ignored.is_empty() {
            self.notices.push(format!(
                "database pool properties are ignored, since one connection serves all signatures: {}",
                ignored.join(", ")
            ));
        }
        Ok(())
    }

    /// Names the database without secrets.
    pub fn shown(&self) -> String {
        let hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|host| format!("{}:{}", host.name, host.port))
            .collect();
        format!("postgresql://{}/{}", hosts.join(","), self.database())
    }

    /// How long batches of a request may be begun: half of its time.
    pub(super) fn batch_time_max(&self) -> Duration {
        self.socket_timeout / 2
    }

    /// The server gives up a statement before we do, so that no transaction of ours holds a lock for long.
    pub(super) fn statement_timeout_ms(&self) -> u128 {
        self.socket_timeout.as_millis() * 3 / 4
    }

    /// How long the server waits for a lock.
    pub(super) fn lock_timeout_ms(&self) -> u128 {
        self.socket_timeout.as_millis() / 2
    }

    /// The database; without a name, that of the role.
    pub(super) fn database(&self) -> &str {
        if self.database.is_empty() {
            &self.user
        } else {
            &self.database
        }
    }
}

impl std::fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            database: String::new(),
            user: "postgres".to_owned(),
            password: None,
            ssl_mode: SslMode::Prefer,
            has_ssl_mode: false,
            ssl_root_cert: None,
            ssl_identity: None,
            schema: None,
            application_name: "signerd".to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
            socket_timeout: SOCKET_TIMEOUT,
            health_interval: Duration::from_secs(1),
            health_timeout: None,
            notices: Vec::new(),
            default_port: None,
        }
    }
}

/// Servers that only read are passed over in any case.
fn check_server_type(name: &str, value: &str) -> Result<(), String> {
    match value {
        "primary" | "master" | "preferPrimary" | "read-write" | "any" => Ok(()),
        other => Err(format!(
            "{name}: expected primary or any, got {}: only a primary can record signatures",
            shown(other)
        )),
    }
}

fn ssl_mode(value: &str) -> Result<SslMode, String> {
    Ok(match value {
        "disable" => SslMode::Disable,
        "allow" => SslMode::Allow,
        "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        other => {
            return Err(format!(
                "sslmode: expected disable, allow, prefer, require, verify-ca or verify-full, got {}",
                shown(other)
            ));
        }
    })
}

/// A wrong value, for a message. What is long, or holds a separator, may be further parameters or a part of the
/// password, and is not shown.
fn shown(value: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if value.len() <= SHOWN_BYTES_MAX && value.bytes().all(is_word) {
        format!("{value:?}")
    } else if value.contains(['=', ';', '&']) {
        "several parameters, which only & separates".to_owned()
    } else {
        "a value that is not shown, because it may be part of a password".to_owned()
    }
}

/// Most bytes of a wrong value that is shown.
const SHOWN_BYTES_MAX: usize = 20;

/// Repeats nothing of the URL: what stands there may be the rest of a password.
const WRONG_PORT: &str = "expected a port from 1 to 65535 after a host, in the URL; if / or @ is part of the \
    password, write it as %2F or %40";

/// Reads `name`, `name:port`, `[v6]:port`, or the directory of a Unix socket.
fn host(text: &str) -> Result<DatabaseHost, String> {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => (name, Some(port)),
        Some(_) | None => (text, None),
    };
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => self::port(port).map_err(|_| WRONG_PORT.to_owned())?,
    };
    if name.contains(['=', ';', '&']) {
        return Err("expected / and the name of a database after the hosts, in the URL".to_owned());
    }
    let name = name.trim_start_matches('[').trim_end_matches(']');
    // `user:password:port` without @ is refused here: as the name of a host it would be shown.
    let address = name.split('%').next().unwrap_or(name);
    if name.contains(':') && address.parse::<Ipv6Addr>().is_err() {
        return Err(WRONG_PORT.to_owned());
    }
    let name = name.to_owned();
    Ok(DatabaseHost { name, port })
}

fn port(text: &str) -> Result<u16, String> {
    let parsed = text.parse().ok().filter(|port| *port > 0);
    parsed.ok_or_else(|| format!("expected a port from 1 to 65535, got {}", shown(text)))
}

/// Reads the name of a database. Errors repeat nothing of it: with a wrong separator a password is part of it,
/// and the name is shown.
fn database_name(text: &str) -> Result<String, String> {
    let sentence = if text.contains('@') {
        "expected the name of a database after the host; if / or @ is part of the password, write it as \
         %2F or %40, in the URL"
    } else if text.contains('/') {
        "expected one name of a database after the host, got several"
    } else if text.contains(['=', ';', '&']) {
        "expected the name of a database after the host, then ? and the parameters, in the URL"
    } else {
        return decode(text);
    };
    Err(sentence.to_owned())
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or("expected two hex digits after %, in the URL")?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes)
        .map_err(|_| "expected UTF-8 after percent-decoding, in the URL".to_owned())
}

#[cfg(test)]
mod tests;
