//! Who may ask: checks the host that was addressed, the page that asks, and the token.

use std::borrow::Cow;
use std::net::Ipv6Addr;
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

/// Which token opens a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteScope {
    /// None is needed: what restarts the service must see its health.
    Open,
    /// The token for everything, or the one for the Keymanager routes.
    KeyManager,
    /// The token for everything.
    Everything,
}

/// What the token of a request proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    /// The request has no token, or none is configured.
    Missing,
    /// The token is not one of those that are configured.
    Wrong,
    /// The token is one of those that are configured.
    Right,
}

/// A configured token, kept as its SHA-256. The token itself need not stay in memory, and comparing
/// digests in constant time reveals nothing about it.
pub(crate) struct AccessToken {
    digest: Mutex<[u8; 32]>,
    /// Where users find the token: an option and its file. It is part of error messages.
    origin: String,
}

impl AccessToken {
    /// `token` is not empty.
    pub(crate) fn new(token: &str, origin: String) -> Self {
        Self {
            digest: Mutex::new(digest(token)),
            origin,
        }
    }

    /// Replaces the token. Returns whether the new one differs.
    pub(crate) fn replace(&self, token: &str) -> bool {
        let new = digest(token);
        let mut current = lock(&self.digest);
        let differs = *current != new;
        *current = new;
        differs
    }

    fn is(&self, sent: &str) -> bool {
        let expected = *lock(&self.digest);
        digest(sent).ct_eq(&expected).into()
    }
}

/// Computes SHA-256 and wipes the stack, where the hash has copied `text`.
fn digest(text: &str) -> [u8; 32] {
    scrubbed(|| Sha256::digest(text.as_bytes()).into())
}

/// The hosts or origins that are allowed.
pub(crate) enum Allowlist {
    /// `*`
    All,
    /// These, in any case.
    Names(Vec<String>),
}

impl Allowlist {
    /// `*` among the names allows all.
    pub(crate) fn new(names: Vec<String>) -> Self {
        if names.iter().any(|name| name == "*") {
            Self::All
        } else {
            Self::Names(names)
        }
    }

    /// Whether the value of a `Host` field is a host of the list, on any port.
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

/// What a client of the Keymanager routes must show (`--keymanager-auth`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyManagerAccess {
    Token,
    /// A certificate, by which it was accepted over TLS, or a token.
    CertificateOrToken,
    Nothing,
}

/// The access rules of one listener, chosen at start.
pub(crate) struct Guard {
    /// Opens every route. Without it, only the Keymanager routes may ask for a token.
    pub(crate) token: Option<Arc<AccessToken>>,
    /// Opens the Keymanager routes alone.
    pub(crate) key_manager_token: Option<Arc<AccessToken>>,
    pub(crate) key_manager_access: KeyManagerAccess,
    /// Whether the Keymanager routes are closed when no token is configured, because a listener is
    /// reachable from other machines.
    pub(crate) key_manager_needs_token: bool,
    /// Protects against DNS rebinding: a page that made its own name point here still sends that name.
    pub(crate) hosts: Allowlist,
    /// The option that sets `hosts`.
    pub(crate) hosts_option: &'static str,
    /// The web pages that may ask. Only browsers send `Origin`.
    pub(crate) origins: Allowlist,
}

impl Guard {
    /// Checks host and origin. HTTP/1.0 clients may send no host.
    ///
    /// # Errors
    /// 403 for a host or an origin that is not allowed.
    pub(super) fn admit_host(&self, request: &Request) -> Result<(), Refusal> {
        // No browser reaches a Unix socket, and its clients send any host.
        if request.client.address.is_some()
            && let Some(host) = request.host()
            && !self.hosts.has_host(host)
        {
            let host = host.to_owned();
            let option = self.hosts_option;
            return Err(Refusal::Host { host, option });
        }
        if let Some(origin) = request.header("origin")
            && !self.origins.has(origin)
        {
            return Err(Refusal::Origin(origin.to_owned()));
        }
        Ok(())
    }

    /// Checks the token for a route of this scope.
    ///
    /// # Errors
    /// 401 without a token where one is needed, 403 with a wrong one.
    pub(super) fn admit_token(&self, request: &Request, scope: RouteScope) -> Result<(), Refusal> {
        if scope == RouteScope::KeyManager && self.opens_key_manager_routes(request) {
            return Ok(());
        }
        let accepted = match scope {
            RouteScope::Open => return Ok(()),
            RouteScope::Everything => [self.token.as_deref(), None],
            RouteScope::KeyManager => [self.token.as_deref(), self.key_manager_token.as_deref()],
        };
        if accepted.iter().all(Option::is_none) {
            if scope == RouteScope::KeyManager && self.key_manager_needs_token {
                return Err(Refusal::TokenNotConfigured);
            }
            // A token that is sent anyway, such as eth-docker's `Bearer NIL`, is ignored.
            return Ok(());
        }
        let origins = || {
            let tokens = accepted.iter().flatten();
            let origins: Vec<&str> = tokens.map(|token| token.origin.as_str()).collect();
            origins.join(" or that of ")
        };
        let Some(sent) = sent_token(request) else {
            return Err(Refusal::NoToken(origins()));
        };
        if accepted.iter().flatten().any(|token| token.is(&sent)) {
            Ok(())
        } else {
            Err(Refusal::WrongToken(origins()))
        }
    }

    /// Whether the client of a Keymanager route needs no token.
    fn opens_key_manager_routes(&self, request: &Request) -> bool {
        match self.key_manager_access {
            KeyManagerAccess::Token => false,
            KeyManagerAccess::CertificateOrToken => request.client.certificate.is_some(),
            KeyManagerAccess::Nothing => true,
        }
    }

    /// Checks the token of a request to an open route, where it only decides how much the answer reveals.
    pub(super) fn credential(&self, request: &Request) -> Credential {
        let configured = [self.token.as_deref(), self.key_manager_token.as_deref()];
        if configured.iter().all(Option::is_none) {
            return Credential::Missing;
        }
        let Some(sent) = sent_token(request) else {
            return Credential::Missing;
        };
        let mut configured = configured.into_iter().flatten();
        if configured.any(|token| token.is(&sent)) {
            Credential::Right
        } else {
            Credential::Wrong
        }
    }

    /// Whether any token is configured.
    pub(super) fn has_token(&self) -> bool {
        self.token.is_some() || self.key_manager_token.is_some()
    }

    /// Answers a CORS preflight (Fetch standard, section 3.3.2). Returns `None` for other requests.
    pub(super) fn preflight(&self, request: &Request) -> Option<Response> {
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

    /// Returns the header fields that let the asking page read the answer.
    pub(super) fn shared_with(&self, request: &Request) -> Vec<(&'static str, Cow<'static, str>)> {
        match request.header("origin") {
            Some(origin) if self.origins.has(origin) => vec![
                ("Access-Control-Allow-Origin", Cow::Owned(origin.to_owned())),
                ("Vary", Cow::Borrowed("Origin")),
            ],
            _ => Vec::new(),
        }
    }
}

/// Returns the name in `name` or `name:port`; an IPv6 address is in brackets (RFC 3986, section 3.2.2).
/// Returns `None` for any other text.
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

/// Whether this may follow the colon after a host: a port, or nothing.
fn is_port(text: &str) -> bool {
    text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Returns the token that a request sends, unless it is blank.
fn sent_token(request: &Request) -> Option<Zeroizing<String>> {
    token_of(request.header("authorization")?).filter(|token| !token.trim().is_empty())
}

/// Returns the token of `Bearer <token>`, or the password of `Basic`: Teku, Prysm and Lighthouse send the
/// user information of the signer's URL in that form.
fn token_of(authorization: &str) -> Option<Zeroizing<String>> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Zeroizing::new(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(rest);
    let pair = Zeroizing::new(decoded.ok()?);
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(Zeroizing::new(password.to_owned()))
}

#[cfg(test)]
mod tests;
