//! Who may ask: the host that was addressed, the page that asks, the token that came along.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use base64::Engine;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::refusal::Refusal;
use crate::http::request::{Method, Request};
use crate::http::response::{Response, TEXT};
use crate::keys::scrub::scrubbed;
use crate::wait::lock;

/// Which token a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// None: health must be visible to whoever restarts the service.
    Open,
    /// The token for everything, or the one for the Keymanager routes.
    KeyManager,
    /// The token for everything.
    Everything,
}

/// What the token of a request proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// It brings no token, or none is configured.
    Missing,
    /// Its token is not one of those that are configured.
    Wrong,
    /// Its token opens routes here.
    Right,
}

/// A configured token, kept as its SHA-256: the token itself need not stay in memory, and comparing
/// digests in constant time tells nothing about it.
pub struct Token(Mutex<[u8; 32]>);

impl Token {
    /// The token that must be sent, as it stands in its file; never an empty one.
    pub fn new(token: &str) -> Self {
        Self(Mutex::new(digest(token)))
    }

    /// Asks for this token from now on. Returns whether it differs from the one before.
    pub fn replace(&self, token: &str) -> bool {
        let new = digest(token);
        let mut current = lock(&self.0);
        let differs = *current != new;
        *current = new;
        differs
    }

    fn is(&self, sent: &str) -> bool {
        let expected = *lock(&self.0);
        digest(sent).ct_eq(&expected).into()
    }
}

/// SHA-256 that leaves nothing of `text` behind: the hash copies it into blocks on the stack.
fn digest(text: &str) -> [u8; 32] {
    scrubbed(|| Sha256::digest(text.as_bytes()).into())
}

/// Names that match, or all.
pub enum Allowlist {
    /// `*`
    All,
    /// These, in lower case.
    Names(Vec<String>),
}

impl Allowlist {
    /// `*` anywhere allows all.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<String> = names
            .into_iter()
            .map(|name| name.to_ascii_lowercase())
            .collect();
        if names.iter().any(|name| name == "*") {
            Self::All
        } else {
            Self::Names(names)
        }
    }

    /// Whether the value of a `Host` field names one of these hosts, on whatever port.
    fn has_host(&self, host: &str) -> bool {
        matches!(self, Self::All) || without_port(host).is_some_and(|name| self.has(name))
    }

    fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|known| known.eq_ignore_ascii_case(name)),
        }
    }
}

/// The rules of one listener, chosen once at start.
pub struct Guard {
    /// Opens everything; without it nothing but the Keymanager routes ever asks for a token.
    pub token: Option<Arc<Token>>,
    /// Opens the Keymanager routes alone.
    pub key_manager_token: Option<Arc<Token>>,
    /// The Keymanager routes stay shut without a token: there is a data directory, or a listener off
    /// loopback.
    pub key_manager_needs_token: bool,
    /// Against DNS rebinding: a page that made its own name point here still sends that name.
    pub hosts: Allowlist,
    /// Pages that may ask; without `Origin` it is no browser that asks.
    pub origins: Allowlist,
}

impl Guard {
    /// # Errors
    /// 403 for a host or an origin that is not allowed. HTTP/1.0 clients may name no host.
    pub fn admit_host(&self, request: &Request) -> Result<(), Refusal> {
        if let Some(host) = request.host()
            && !self.hosts.has_host(host)
        {
            return Err(Refusal::Host(host.to_owned()));
        }
        match request.header("origin") {
            Some(origin) if !self.origins.has(origin) => Err(Refusal::Origin(origin.to_owned())),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// 401 without a token where one is needed, 403 with a wrong one.
    pub fn admit_token(&self, request: &Request, scope: Scope) -> Result<(), Refusal> {
        let accepted = match scope {
            Scope::Open => return Ok(()),
            Scope::Everything => [self.token.as_deref(), None],
            Scope::KeyManager => [self.token.as_deref(), self.key_manager_token.as_deref()],
        };
        if accepted.iter().all(Option::is_none) {
            if scope == Scope::KeyManager && self.key_manager_needs_token {
                return Err(Refusal::TokenNotConfigured);
            }
            // `Bearer NIL` of eth-docker, or nothing: whatever came is not looked at.
            return Ok(());
        }
        let sent = request
            .header("authorization")
            .and_then(sent_token)
            .ok_or(Refusal::NoToken)?;
        if accepted.into_iter().flatten().any(|token| token.is(&sent)) {
            Ok(())
        } else {
            Err(Refusal::WrongToken)
        }
    }

    /// Checks the token of a request to a route that is open to all: there it only decides how much the
    /// answer tells.
    pub fn credential(&self, request: &Request) -> Credential {
        let mut configured = [&self.token, &self.key_manager_token]
            .into_iter()
            .flatten()
            .peekable();
        let sent = request.header("authorization").and_then(sent_token);
        let Some(sent) = sent.filter(|_| configured.peek().is_some()) else {
            return Credential::Missing;
        };
        if configured.any(|token| token.is(&sent)) {
            Credential::Right
        } else {
            Credential::Wrong
        }
    }

    /// The answer to a CORS preflight (Fetch standard, section 3.3.2); `None` for other requests.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let asked = request.header("access-control-request-method")?;
        if request.method != Method::Options || asked.is_empty() {
            return None;
        }
        if let Err(refusal) = self.admit_host(request) {
            return Some(refusal.into());
        }
        let mut response = Response::new(204, TEXT, &b""[..])
            .with("Access-Control-Allow-Methods", "GET, HEAD, POST, DELETE")
            .with(
                "Access-Control-Allow-Headers",
                "Authorization, Content-Type, Accept",
            )
            .with("Access-Control-Max-Age", "600");
        response.headers.extend(self.shared_with(request));
        Some(response)
    }

    /// The header fields that let the asking page read the answer.
    pub fn shared_with(&self, request: &Request) -> Vec<(&'static str, Cow<'static, str>)> {
        match request.header("origin") {
            Some(origin) if self.origins.has(origin) => vec![
                ("Access-Control-Allow-Origin", Cow::Owned(origin.to_owned())),
                ("Vary", Cow::Borrowed("Origin")),
            ],
            _ => Vec::new(),
        }
    }
}

/// Whether a listener there can be reached from this host alone.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

/// The name in `name` or `name:port`; an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
/// `None` for any other text.
fn without_port(host: &str) -> Option<&str> {
    let name_bytes = if host.starts_with('[') {
        let end = host.find(']')?;
        host[1..end].parse::<Ipv6Addr>().ok()?;
        end + 1
    } else {
        host.find(':').unwrap_or(host.len())
    };
    let (name, rest) = host.split_at(name_bytes);
    if name.is_empty() || !(rest.is_empty() || is_port(rest.strip_prefix(':')?)) {
        return None;
    }
    Some(name)
}

/// Whether this may follow the colon behind a host: a port, or nothing.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The token of `Bearer <token>`, or the password of `Basic` (Teku, Prysm and Lighthouse send the user
/// info of the signer's URL so). An empty one is none.
fn sent_token(authorization: &str) -> Option<Zeroizing<String>> {
    any_sent_token(authorization).filter(|token| !token.trim().is_empty())
}

fn any_sent_token(authorization: &str) -> Option<Zeroizing<String>> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(
        base64::engine::general_purpose::STANDARD
            .decode(rest)
            .ok()?,
    );
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(Zeroizing::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_at_most_a_port() {
        for (host, name) in [
            ("localhost", Some("localhost")),
            ("localhost:8080", Some("localhost")),
            ("localhost:", Some("localhost")),
            ("[::1]", Some("[::1]")),
            ("[::1]:65535", Some("[::1]")),
            ("[::1]evil.example", None),
            ("[::1]:8080evil.example", None),
            ("[::1]]", None),
            ("[::1", None),
            ("[localhost]", None),
            ("evil.example[::1]", None),
            ("evil.example]", Some("evil.example]")), // which no list has
            ("127.0.0.1:8080:evil.example", None),
            ("127.0.0.1:evil.example", None),
            ("127.0.0.1:65536", None),
            ("127.0.0.1:+80", None),
            ("::1", None),
            (":8080", None),
            ("", None),
        ] {
            assert_eq!(without_port(host), name, "{host}");
        }
    }

    #[test]
    fn a_token_that_is_replaced_opens_nothing_any_more() {
        let token = Token::new("old");
        assert!(token.is("old") && !token.is("new"));
        assert!(token.replace("new") && !token.replace("new"));
        assert!(token.is("new") && !token.is("old"));
    }

    #[test]
    fn a_token_comes_as_bearer_or_as_the_password_of_basic() {
        for (sent, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic dXNlcjphYmM=", Some("abc")), // user:abc
            ("Basic dXNlcg==", None),            // no colon
            ("Basic Og==", None),                // :
            ("Basic dXNlcjo=", None),            // user:
            ("Basic dXNlcjogIA==", None),        // user and two spaces
            ("Bearer ", None),
            ("Bearer    ", None),
            ("Basic !!", None),
            ("Digest abc", None),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(
                sent_token(sent).as_ref().map(|token| token.as_str()),
                token,
                "{sent}"
            );
        }
    }
}
