//! Who may ask: the host that was addressed, the page that asks, the token that came along.

use std::borrow::Cow;
use std::net::IpAddr;

use base64::Engine;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::refusal::Refusal;
use crate::http::request::{Method, Request};
use crate::http::response::{Response, TEXT};
use crate::keys::keystore::scrubbed;

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

/// A configured token, kept as its SHA-256: the token itself need not stay in memory, and comparing
/// digests in constant time tells nothing about it.
pub struct Token([u8; 32]);

impl Token {
    /// The token that must be sent, as it stands in its file.
    pub fn new(token: &str) -> Self {
        Self(digest(token))
    }

    fn is(&self, sent: &str) -> bool {
        digest(sent).ct_eq(&self.0).into()
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
    pub token: Option<Token>,
    /// Opens the Keymanager routes alone.
    pub key_manager_token: Option<Token>,
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
            && !self.hosts.has(without_port(host))
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
            Scope::Everything => [self.token.as_ref(), None],
            Scope::KeyManager => [self.token.as_ref(), self.key_manager_token.as_ref()],
        };
        if accepted.iter().all(Option::is_none) {
            return match scope == Scope::KeyManager && self.key_manager_needs_token {
                true => Err(Refusal::TokenNotConfigured),
                false => Ok(()), // `Bearer NIL` of eth-docker, or nothing: whatever came is not looked at
            };
        }
        let sent = request
            .header("authorization")
            .and_then(sent_token)
            .ok_or(Refusal::NoToken)?;
        match accepted.into_iter().flatten().any(|token| token.is(&sent)) {
            true => Ok(()),
            false => Err(Refusal::WrongToken),
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

/// `Host` and `host:port`; an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
fn without_port(host: &str) -> &str {
    match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or(host),
    }
}

/// The token of `Bearer <token>`, or the password of `Basic` (Teku, Prysm and Lighthouse send the user
/// info of the signer's URL so).
fn sent_token(authorization: &str) -> Option<Zeroizing<String>> {
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
    fn a_token_comes_as_bearer_or_as_the_password_of_basic() {
        for (sent, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic dXNlcjphYmM=", Some("abc")), // user:abc
            ("Basic dXNlcg==", None),            // no colon
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
